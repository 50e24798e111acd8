"""The world as a process, beside the box's DNS, in a namespace of its own."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from postroad_region.dns import DnsDesired, DnsPlane, HostedZone
from postroad_region.errors import RegionError
from postroad_region.world import WorldProcess, addresses, failing_providers, load_world, published_zones
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.root

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

    def pid(self) -> int:
        pid = self.world.status().pid
        assert pid is not None
        return pid


@pytest.fixture(scope="module")
def running(make_namespace: Callable[..., Any], folder: Path) -> Iterator[Case]:
    case = Case(make_namespace(SOURCE, OTHER, LIMITED, RETURNS), folder)
    world = load_world(case.file)
    case.namespace.hold(*addresses(world))
    try:
        case.publish()
        case.world.ensure()
        yield case
    finally:
        case.world.stop()
        case.plane.stop()


@pytest.fixture
def case(running: Case) -> Case:
    running.write(WORLD)
    running.world.ensure()
    running.world.reset()
    return running


def test_mail_is_accepted_counted_and_listed(case: Case) -> None:
    assert case.send("b@gmail.test")[0][0] == 250
    counts = case.world.get("/counts")["providers"]["gmail"]
    assert counts["sources"] == {SOURCE: {"accepted": 1}}
    assert counts["checks"] == {"spf": {"pass": 1}, "dkim": {"none": 1}, "tls": {"no": 1}}
    (message,) = case.world.get("/messages?batch=t")
    assert (message["recipient"], message["message_id"], message["send"]) == ("b@gmail.test", "<0@x>", "t-0")


def test_spf_tells_a_foreign_source(case: Case) -> None:
    case.send("b@gmail.test", source=OTHER)
    assert case.world.get("/counts")["providers"]["gmail"]["checks"]["spf"] == {"fail": 1}


def test_a_bounce_has_no_sender(case: Case) -> None:
    assert case.codes("b@gmail.test", sender="") == [250]
    assert "sender" not in case.world.get("/messages")[0]


def test_refusals_are_spoken_and_counted(case: Case) -> None:
    assert case.codes("unknown-1@gmail.test", "late-1@gmail.test", "late-1@gmail.test", "x@other.test") == [
        550,
        451,
        250,
        550,
    ]
    assert case.world.get("/counts")["verdicts"] == {"accepted": 1, "greylisted": 1, "relaying": 1, "unknown": 1}


def test_a_message_beyond_the_size_is_refused(case: Case) -> None:
    assert case.codes("b@gmail.test", content="Subject: x\r\n\r\n" + "x" * 70 + "\r\n" * 10_000) == [552]
    assert case.world.get("/counts")["verdicts"] == {}


def test_starttls_has_a_certificate_of_the_box(case: Case) -> None:
    assert case.codes("b@gmail.test", ca=str(case.folder / "ca/ca.crt")) == [250]
    assert case.world.get("/counts")["providers"]["gmail"]["checks"]["tls"] == {"yes": 1}


def test_an_expired_certificate_is_one(case: Case) -> None:
    answers = case.send("b@strict.test", host="mx.strict.test", ca=str(case.folder / "ca/ca.crt"))
    assert answers == [[0, "SSLCertVerificationError"]]


def test_a_source_beyond_its_limit_is_told_421_and_cut_off(case: Case) -> None:
    answers = case.send(*["b@strict.test"] * 4, host="mx.strict.test", source=LIMITED)
    assert answers == [answers[0], answers[1], [421, "4.7.0 Too much"], [0, "SMTPServerDisconnected"]]
    assert case.codes("b@strict.test", host="mx.strict.test", source=OTHER) == [250]


def test_connections_of_a_source_are_bounded(case: Case) -> None:
    assert case.send("b@strict.test", host="mx.strict.test", twice=True)[0] == [421, "4.7.0 Too many"]


@pytest.mark.parametrize("segment", [67_108_864, 4096])
def test_what_was_answered_250_survives_sigkill(case: Case, segment: int) -> None:
    # With the small one the ledger begins a new segment every dozen messages.
    case.write(WORLD | {"ledger": {"segment": segment}})
    case.world.ensure()
    case.send("late-9@gmail.test", "unknown-1@gmail.test")
    before = case.pid()
    sender = subprocess.Popen([*case.namespace.prefix, sys.executable, "-c", FLOOD], stdout=subprocess.PIPE, text=True)
    assert sender.stdout is not None
    for _ in range(200):
        sender.stdout.readline()
    case.world._process.signal(signal.SIGKILL)
    answered = 200 + sum(1 for _ in sender.stdout)
    sender.wait()
    assert answered < 4000, "the flood was over before the world was killed"
    # Its connections end a moment before the process itself is gone; until then it counts as running.
    deadline = time.monotonic() + 10
    while case.world.status().running:
        assert time.monotonic() < deadline, "SIGKILL ended the process"
        time.sleep(0.01)
    assert case.world.ensure()
    assert case.pid() != before
    counts = case.world.get("/counts")["verdicts"]
    # The one whose 250 was on its way may be counted and not answered.
    assert counts["accepted"] in (answered, answered + 1)
    assert (counts["greylisted"], counts["unknown"]) == (1, 1)
    assert case.codes("late-9@gmail.test") == [250]
    assert case.world.get("/sends/flood")["distinct"] in (answered, answered + 1)


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


def test_a_batch_tells_what_came_twice(case: Case) -> None:
    case.send("b@gmail.test", "c@gmail.test", "d@gmail.test", batch="run-1")
    case.send("b@gmail.test", batch="run-1")
    assert case.world.get("/sends/run-1") == {
        "batch": "run-1",
        "copies": 4,
        "distinct": 3,
        "duplicates": 1,
        "twice": {"run-1-0 b@gmail.test": 2},
    }


def test_another_daemon_takes_it_up(case: Case) -> None:
    pid = case.pid()
    assert not case.heir().ensure()
    assert case.heir().status().pid == pid


def test_a_changed_file_restarts_it_with_its_counts(case: Case) -> None:
    case.send("b@gmail.test")
    changed = json.loads(json.dumps(WORLD))
    changed["providers"][0]["recipients"][0]["reply"] = "550 5.1.1 Nobody"
    case.write(changed)
    assert case.world.ensure()
    assert case.send("unknown-1@gmail.test") == [[550, "5.1.1 Nobody"]]
    assert case.world.get("/counts")["verdicts"] == {"accepted": 1, "unknown": 1}


def test_a_wrong_file_leaves_the_running_world_as_it_is(case: Case) -> None:
    case.write({"providers": []})
    with pytest.raises(RegionError, match="providers"):
        case.world.ensure()
    assert case.codes("b@gmail.test") == [250]


def test_a_wrong_question_is_told_so(case: Case) -> None:
    with pytest.raises(RegionError, match=re.escape('400: {"error": "colour is none of')):
        case.world.get("/messages?colour=blue")
    with pytest.raises(RegionError, match="404"):
        case.world.get("/nothing")


def test_it_is_small_and_does_nothing_when_idle(case: Case) -> None:
    case.send(*["b@gmail.test"] * 200)
    status = Path(f"/proc/{case.pid()}/status").read_text()
    assert int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) < 80_000

    def ticks() -> int:
        fields = Path(f"/proc/{case.pid()}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(2)  # what is measured is that nothing happens
    assert ticks() - before <= 2


def wait_for(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("mx.odd.test", 250),
        ("broken.odd.test", "SSLError"),
        ("stranger.odd.test", "SSLCertVerificationError"),
        ("other.odd.test", "SSLCertVerificationError"),
        ("plain.odd.test", "SMTPNotSupportedError"),
    ],
)
def test_each_host_has_its_own_fault_of_tls(case: Case, host: str, answer: int | str) -> None:
    (last,) = case.send("b@odd.test", host=host, ca=str(case.folder / "ca/ca.crt"))
    assert answer in last


def test_tlsa_records_pin_the_keys_or_others(case: Case) -> None:
    for host, right in (("mx.odd.test", True), ("stranger.odd.test", False)):
        record = case.namespace.run("dig", "+short", "@198.51.100.8", f"_25._tcp.{host}", "TLSA").split()
        shown = case.namespace.run(sys.executable, "-c", SPKI, HOSTS[host]).strip()
        assert record[:3] == ["3", "1", "1"]
        assert ("".join(record[3:]).lower() == shown) is right
    flags = case.namespace.run("dig", "+dnssec", "@198.51.100.8", "_25._tcp.mx.odd.test", "TLSA")
    assert " ad" in flags.split(";; flags:")[1].split(";")[0], "DANE needs a validated answer"


SPKI = """
import hashlib, smtplib, ssl, sys
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
client = smtplib.SMTP(sys.argv[1], 25, timeout=10); client.starttls(context=context)
key = x509.load_der_x509_certificate(client.sock.getpeercert(True)).public_key()
print(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest())
"""


def test_the_mta_sts_policy_is_served_with_a_certificate_of_the_box(case: Case) -> None:
    found = case.namespace.run("dig", "+short", "@198.51.100.8", "_mta-sts.odd.test", "TXT")
    assert found.startswith('"v=STSv1; id=')
    fetch = ["curl", "-sS", "--cacert", str(case.folder / "ca/ca.crt"), "--max-time", "5"]
    place = ["--resolve", "mta-sts.odd.test:443:198.51.100.61"]
    policy = case.namespace.run(*fetch, *place, "https://mta-sts.odd.test/.well-known/mta-sts.txt")
    assert policy.split() == ["version:", "STSv1", "mode:", "enforce", "mx:", "*.odd.test", "max_age:", "86400"]
    other = case.namespace.run(*fetch, "-k", "https://198.51.100.61/.well-known/mta-sts.txt", check=False)
    assert "STSv1" not in other


def test_a_late_answer_is_late_and_a_cut_one_never_comes(case: Case) -> None:
    began = time.monotonic()
    assert case.codes("late-1@odd.test", host="mx.odd.test") == [250]
    assert time.monotonic() - began >= 0.3
    assert case.codes("drop-before-1@odd.test", host="mx.odd.test") == [0]
    assert case.codes("drop-after-1@odd.test", host="mx.odd.test") == [0]
    assert case.world.get("/counts")["providers"]["odd"]["verdicts"] == {"accepted": 2, "dropped": 1}


RECEIVER = """
import asyncio, json, sys
from aiosmtpd.smtp import SMTP
class Peer:
    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode("latin-1")
        print(json.dumps([session.peer[0], envelope.mail_from, envelope.rcpt_tos, text]), flush=True)
        return "250 OK"
async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Peer()), sys.argv[1], 25)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture
def returns(running: Case) -> Iterator[Any]:
    """The sender's own MX, at the other end of bounces and complaints."""
    command = [*running.namespace.prefix, sys.executable, "-c", RECEIVER, RETURNS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def test_bounces_and_complaints_come_back_even_if_the_world_is_killed_before(case: Case, returns: Any) -> None:
    recipients = ("bounce-1@odd.test", "complain-1@odd.test")
    content = "From: a@postroad.test\r\nX-Postroad-Send: run-1\r\n\r\nx\r\n"
    assert case.codes(*recipients, host="mx.odd.test", sender="b+1@postroad.test", content=content) == [250, 250]
    assert case.world.get("/outbound")["queued"] == 2
    case.world._process.signal(signal.SIGKILL)
    wait_for(lambda: not case.world.status().running)
    assert case.world.ensure()
    case.world.post("/clock?advance=61")
    came = {}
    for _ in range(2):
        source, sender, to, text = json.loads(returns.readline())
        assert (source, sender) == ("198.51.100.30", "<>")
        came[to[0]] = text
    assert "Final-Recipient: rfc822; bounce-1@odd.test" in came["b+1@postroad.test"]
    assert "Feedback-Type: abuse" in came["fbl@postroad.test"]
    assert "X-Postroad-Send: run-1" in came["fbl@postroad.test"]
    wait_for(lambda: case.world.get("/outbound")["queued"] == 0)
    assert case.world.get("/counts")["verdicts"] == {"accepted": 2, "complaint": 1}
    assert case.world.get("/outbound")["outcomes"]["odd"] == {"bounce": {"sent": 1}, "complaint": {"sent": 1}}


@pytest.mark.parametrize(
    ("how", "answer"), [("refuse", "ConnectionRefusedError"), ("hang", "timed out"), ("421", "SMTPConnectError")]
)
def test_a_host_is_out_for_its_time_and_the_others_are_not(case: Case, how: str, answer: str) -> None:
    begun = case.world.post(f"/incidents?kind=outage&host=mx.odd.test&duration=1h&how={how}")
    wait_for(lambda: case.world.get("/providers")["odd"]["hosts"]["mx.odd.test"]["listens"] is (how != "refuse"))
    assert case.namespace.run(sys.executable, "-c", REACH, HOSTS["mx.odd.test"]).strip() == answer
    assert case.codes("b@odd.test", host="broken.odd.test") == [250]
    assert case.world.get("/providers")["odd"]["incidents"] == [begun["id"]]
    case.world.post("/clock?advance=1h")
    wait_for(lambda: case.world.get("/providers")["odd"]["hosts"]["mx.odd.test"]["listens"])
    assert case.codes("b@odd.test", host="mx.odd.test") == [250]


REACH = """
import smtplib, sys
try:
    smtplib.SMTP(sys.argv[1], 25, timeout=1)
    print("reached")
except Exception as error:
    print("timed out" if "timed out" in str(error) else type(error).__name__)
"""


def test_an_outage_cuts_the_connections_that_are(case: Case) -> None:
    command = [*case.namespace.prefix, sys.executable, "-c", FLOOD.replace("198.51.100.25", "198.51.100.30"), "odd"]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert sender.stdout is not None
    sender.stdout.readline()
    case.world.post("/incidents?kind=outage&provider=odd&duration=1h")
    assert sender.wait(timeout=10) == 0


def test_a_provider_s_dns_fails_for_a_while(case: Case) -> None:
    ask = ("dig", "+timeout=2", "+tries=1", "@198.51.100.8", "odd.test", "NS")
    case.world.post("/incidents?kind=dns-failure&provider=odd&duration=1h")
    wait_for(lambda: failing_providers(case.folder / "world") == ["odd"])
    case.publish()
    case.namespace.run(
        "unbound-control", "-c", str(case.folder / "dns/public-resolver/unbound.conf"), "flush_zone", "odd.test"
    )
    assert "SERVFAIL" in case.namespace.run(*ask)
    assert "NOERROR" in case.namespace.run(*ask[:-2], "gmail.test", "NS")
    case.world.post("/clock?advance=1h")
    wait_for(lambda: failing_providers(case.folder / "world") == [])
    case.publish()
    wait_for(lambda: "NOERROR" in case.namespace.run(*ask), seconds=30)


def test_a_month_passes_in_seconds_and_a_source_warms_up(case: Case) -> None:
    case.world.post("/clock?day=0.5")
    began = case.world.get("/clock")["since"]
    volume, day = 8, 0
    while day < 4:
        assert set(case.codes(*(f"u{n}@odd.test" for n in range(volume)), host="mx.odd.test")) == {250}, f"day {day}"
        today = int((case.world.get("/clock")["now"]) // 86_400)
        wait_for(lambda: int(case.world.get("/clock")["now"] // 86_400) > today)  # noqa: B023
        volume, day = volume * 2, day + 1
    case.world.post("/clock?day=0.1")
    wait_for(lambda: case.world.get("/clock")["since"] - began > 30 * 86_400, seconds=30)
    standing = case.world.get("/reputation")["odd"][SOURCE]
    assert standing["standing"] == "good"
    assert standing["usual"] < 64, "what isn't used fades"


def test_metrics_are_prometheus_text(case: Case) -> None:
    case.send("b@odd.test", host="mx.odd.test")
    case.world.post("/incidents?kind=slow&delay=1&duration=1h")
    text = case.world.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["postroad_world_verdicts"].samples
    assert (sample.labels, sample.value) == ({"provider": "odd", "source": SOURCE, "verdict": "accepted"}, 1)
    (score,) = families["postroad_world_reputation_score"].samples
    assert score.value == 0.3
    assert {sample.labels["host"] for sample in families["postroad_world_host_listening"].samples} == set(HOSTS)
    assert families["postroad_world_incidents_active"].samples[0].labels == {"kind": "slow"}
    assert families["postroad_world_outbound_queued"].samples[0].value == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/incidents?kind=flood&duration=1", "kind: 'flood' Input should be"),
        ("/incidents?kind=outage&duration=1&provider=x", "provider 'x' is none of gmail"),
        ("/clock?day=0", "day: 0 isn't above 0"),
        ("/clock?speed=2", "speed is none of advance, day"),
        ("/feedback-loops?domain=x", "domain: 'x' is no lower-case host name"),
    ],
)
def test_a_wrong_order_is_told_so(case: Case, path: str, reason: str) -> None:
    with pytest.raises(RegionError, match=re.escape(reason).replace("'", "['\"]")):
        case.world.post(path)


def test_a_reset_forgets_everything(case: Case) -> None:
    case.codes("bounce-1@odd.test", host="mx.odd.test")
    case.world.post("/incidents?kind=outage&provider=gmail&duration=1h")
    case.world.post("/clock?day=60")
    case.world.post("/feedback-loops?domain=x.test&address=a@x.test")
    case.world.reset()
    assert case.world.get("/counts")["verdicts"] == {}
    assert case.world.get("/outbound")["queued"] == 0
    assert case.world.get("/incidents")["running"] == []
    assert case.world.get("/clock")["day"] == 86_400
    assert case.world.get("/reputation")["odd"] == {}
    assert [loop["domain"] for loop in case.world.get("/feedback-loops")] == ["postroad.test"]
    wait_for(lambda: case.world.get("/providers")["gmail"]["hosts"]["mx.gmail.test"]["listens"])
    assert case.codes("b@gmail.test") == [250]


def test_a_stopped_world_says_so(case: Case) -> None:
    case.world.stop()
    assert not case.world.status().running
    with pytest.raises(RegionError, match="the world doesn't answer"):
        case.world.get("/counts")
