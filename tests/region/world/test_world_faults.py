"""What the world does to its clients, as they see it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world import failing_providers

from .process import FLOOD, HOSTS, LIMITED, OTHER, RETURNS, SOURCE, Case, started, wait_for

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def running(make_namespace: Callable[..., Any], folder: Path) -> Iterator[Case]:
    with started(make_namespace(SOURCE, OTHER, LIMITED, RETURNS), folder) as case:
        yield case


@pytest.fixture
def case(running: Case) -> Case:
    return running.afresh()


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
