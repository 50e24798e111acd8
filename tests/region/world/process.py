"""The world as a process, beside the box's DNS, in a namespace of its own; and a client in there."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from postroad_region.dns import DnsDesired, DnsPlane, HostedZone
from postroad_region.world import WorldProcess, addresses, load_world, published_zones

SOURCE, OTHER, LIMITED, RETURNS = "198.18.113.5", "198.18.113.6", "198.18.113.7", "198.18.113.9"
WORLD: dict[str, Any] = {
    "policy_address": "198.51.100.61",
    "feedback_loops": [{"domain": "postroad.test", "address": "fbl@postroad.test"}],
    "providers": [
        {
            "name": "gmail",
            "domain": "gmail.test",
            "name_server": "198.51.100.54",
            "mx": [{"host": "mx.gmail.test", "address": "198.51.100.25"}],
            "max_size": 20000,
            "recipients": [
                {"match": "unknown-*", "verdict": "unknown", "reply": "550 5.1.1 No such user"},
                {"match": "late-*", "verdict": "greylisted", "reply": "451 4.7.1 Later", "first_tries": 1},
            ],
            "limits": {"messages_per_hour": {"count": 5000, "reply": "421 4.7.0 Too much"}},
        },
        {
            "name": "odd",
            "domain": "odd.test",
            "name_server": "198.51.100.54",
            "mx": [
                {"host": "mx.odd.test", "address": "198.51.100.30"},
                {"host": "broken.odd.test", "address": "198.51.100.31", "tls": "broken", "dane": "none"},
                {"host": "stranger.odd.test", "address": "198.51.100.32", "tls": "self-signed", "dane": "wrong"},
                {"host": "other.odd.test", "address": "198.51.100.33", "tls": "wrong-name", "dane": "none"},
                {"host": "plain.odd.test", "address": "198.51.100.34", "tls": "none", "dane": "none"},
            ],
            "dane": "right",
            "mta_sts": {"mode": "enforce", "mx": ["*.odd.test"], "max_age": "1d"},
            "extensions": {"chunking": True},
            "recipients": [
                {"match": "bounce-*", "bounce": {"after": 60}},
                {"match": "complain-*", "complaint": {"after": 60}},
                {"match": "late-*", "late": 0.3},
                {"match": "drop-before-*", "drop": "before"},
                {"match": "drop-after-*", "drop": "after"},
            ],
            "reputation": {"cold_volume": 20, "block_factor": 2},
        },
        {
            "name": "strict",
            "domain": "strict.test",
            "name_server": "198.51.100.54",
            "mx": [{"host": "mx.strict.test", "address": "198.51.100.26"}],
            "tls": "expired",
            "limits": {
                "messages_per_hour": {"count": 2, "reply": "421 4.7.0 Too much"},
                "connections": {"count": 1, "reply": "421 4.7.0 Too many"},
            },
        },
    ],
}

# Runs inside the namespace: reads what to do, prints what was answered.
CLIENT = """
import json, smtplib, ssl, sys
task = json.loads(sys.argv[1])
answers = []
def connect():
    client = smtplib.SMTP(timeout=10, source_address=(task["source"], 0))
    client.connect(task["address"], 25)
    client._host = task["host"]
    return client
client = connect()
other = connect() if task.get("twice") else None
try:
    code, text = (other or client).ehlo("mail-a.postroad.test")
    answers.append([code, text.decode()])
    if "connect" in task:
        raise SystemExit(print(json.dumps(answers)))
    if task.get("ca"):
        client.starttls(context=ssl.create_default_context(cafile=task["ca"]))
        client.ehlo("mail-a.postroad.test")
    for number, recipient in enumerate(task["recipients"]):
        headers = f"Message-ID: <{number}@x>\\r\\nX-Postroad-Send: {task['batch']}-{number}\\r\\n"
        content = task.get("content") or headers + "\\r\\nx\\r\\n"
        client.rset()
        for step in (lambda: client.mail(task["sender"]), lambda: client.rcpt(recipient), lambda: client.data(content)):
            code, text = step()
            if code >= 400:
                break
        answers.append([code, text.decode()])
except (smtplib.SMTPException, ssl.SSLError, ConnectionError) as error:
    answers.append([0, type(error).__name__])
print(json.dumps(answers))
"""


HOSTS = {mx["host"]: mx["address"] for provider in WORLD["providers"] for mx in provider["mx"]}


class Case:
    def __init__(self, namespace: Any, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.file = folder / "world.yaml"
        self.write(WORLD)
        self.plane = DnsPlane(folder / "dns", folder / "run", namespace.prefix, namespace.prefix)
        self.world = self.heir()

    def heir(self) -> WorldProcess:
        return WorldProcess(
            self.folder / "world", self.folder / "run", self.namespace.prefix, ca_dir=self.folder / "ca", file=self.file
        )

    def write(self, world: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(world))

    def send(self, *recipients: str, source: str = SOURCE, host: str = "mx.gmail.test", **more: Any) -> list[list[Any]]:
        address = HOSTS[host]
        task = {"source": source, "host": host, "address": address, "sender": "a@postroad.test", "batch": "t"}
        text = json.dumps({**task, "recipients": recipients, **more})
        answers: list[list[Any]] = json.loads(self.namespace.run(sys.executable, "-c", CLIENT, text))
        return answers[1:] if answers[0][0] == 250 else answers

    def codes(self, *recipients: str, **more: Any) -> list[int]:
        return [code for code, _ in self.send(*recipients, **more)]

    def publish(self) -> None:
        """Have the DNS as the daemon has it."""
        values = {"TXT": f'"v=spf1 ip4:{SOURCE} -all"', "MX": "10 mx.postroad.test.", "A": RETURNS}
        names = {"A": "mx.postroad.test."}
        records = [
            {
                "Name": names.get(kind, "postroad.test."),
                "Type": kind,
                "TTL": 60,
                "ResourceRecords": [{"Value": value}],
            }
            for kind, value in values.items()
        ]
        zones = published_zones(load_world(self.file), self.folder / "world")
        self.plane.apply(DnsDesired([HostedZone("Z1", "postroad.test.", records)], zones))

    def afresh(self) -> "Case":
        """As at the beginning, for the next test."""
        self.write(WORLD)
        self.world.ensure()
        self.world.reset()
        return self

    def pid(self) -> int:
        pid = self.world.status().pid
        assert pid is not None
        return pid


FLOOD = f"""
import smtplib
client = smtplib.SMTP(source_address=({SOURCE!r}, 0))
client.connect("198.51.100.25", 25)
try:
    for number in range(4000):
        client.sendmail("a@postroad.test", "b@gmail.test", f"X-Postroad-Send: flood-{{number}}\\r\\n\\r\\nx\\r\\n")
        print(number, flush=True)
except (OSError, smtplib.SMTPException):
    pass
"""


@contextlib.contextmanager
def started(namespace: Any, folder: Path) -> Iterator[Case]:
    """A world that runs."""
    case = Case(namespace, folder)
    world = load_world(case.file)
    case.namespace.hold(*addresses(world))
    try:
        case.publish()
        case.world.ensure()
        yield case
    finally:
        case.world.stop()
        case.plane.stop()


def wait_for(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)
