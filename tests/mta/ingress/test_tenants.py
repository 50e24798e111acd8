"""Who may send as whom, asked of a real MTA."""

import base64
import smtplib
from collections.abc import Callable
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from daemons import MtaDaemon, Sink, wait_until

HEADER = "From: News <news@acme.test>\nX-Id: 1\n"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def settings(folder: Path) -> str:
    """Two tenants, each with a key for its domain."""
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return (
        '[tenants.acme]\ndomains = ["acme.test"]\n[tenants.other]\ndomains = ["other.test"]\n'
        '[dkim]\nkeys = [{ domain = "acme.test", selector = "s", file = "key.pem" }, '
        '{ domain = "other.test", selector = "s", file = "key.pem" }]\n'
    )


def send(mta: MtaDaemon, content: str = HEADER + "\nbody\n", *, sender: str = "bounces@acme.test") -> str:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        try:
            client.sendmail(sender, ["b@y.test"], content)
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as refused:
            return f"{refused.smtp_code} {bytes(refused.smtp_error).decode()}"
    return "250"


def record(_name: bytes, timeout: int = 5) -> bytes:
    public = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def test_a_tenants_mail_is_signed_and_its_campaign_known_and_hidden(
    tmp_path: Path, new_mta: Callable[..., MtaDaemon], sink: Sink
) -> None:
    mta = new_mta(smart_host=sink.port, tenant="acme", more=settings(tmp_path))
    assert send(mta, HEADER + "X-Postroad-Campaign:\n spring sale\nTo: b@y.test\n\n.body\n") == "250"
    wait_until(lambda: sink.envelopes)
    content = sink.envelopes[0].content
    assert isinstance(content, bytes)
    assert content.endswith(b"\r\nFrom: News <news@acme.test>\r\nX-Id: 1\r\nTo: b@y.test\r\n\r\n.body\r\n")
    assert b"campaign" not in content.lower()
    assert dkim.verify(content, dnsfunc=record, minkey=1024)
    (reception,) = mta.events("reception")
    assert (reception["tenant"], reception["campaign"]) == ("acme", "spring sale")


CASES = [
    (HEADER, "bounces@other.test", "550 5.7.1 tenant acme doesn't own other.test: send from one of its domains"),
    ("From: a@other.test\n\n", "a@acme.test", "550 5.7.1 tenant acme doesn't own other.test"),
    ("From: a@acme.test, b@other.test\n\n", "", "550 5.7.1 tenant acme doesn't own other.test"),
    ("To: b@y.test\n\n", "", "550 5.7.1 no From field"),
    ("From: a@acme.test\nFrom : a@acme.test\n\n", "", "550 5.7.1 several From fields"),
    ("From: someone\n\n", "", "550 5.7.1 the From field doesn't say who wrote this: write it as"),
    (HEADER + "X-Postroad-Campaign: \n\n", "", "550 5.6.0 X-Postroad-Campaign must be"),
    (HEADER, "", "250"),
    ("from: A <a@ACME.test> (hi), b@acme.test\n\n", "x@Acme.Test", "250"),
]


def test_nobody_sends_as_another(tmp_path: Path, new_mta: Callable[..., MtaDaemon]) -> None:
    mta = new_mta(smart_host=1, tenant="acme", more=settings(tmp_path))
    replies = [(send(mta, content, sender=sender), reply) for content, sender, reply in CASES]
    assert [(found, reply) for found, reply in replies if not found.startswith(reply)] == []


def test_a_dot_hides_no_author(tmp_path: Path, new_mta: Callable[..., MtaDaemon]) -> None:
    mta = new_mta(smart_host=1, tenant="acme", more=settings(tmp_path))
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.ehlo()
        client.mail("a@acme.test")
        client.rcpt("b@y.test")
        client.docmd("DATA")
        # Receivers take the dot away: not stuffed, as smtplib would.
        client.send(b".From: b@other.test\r\nFrom: a@acme.test\r\n\r\n.\r\n")
        assert client.getreply() == (
            550,
            b"5.7.1 several From fields: a tenant's message has exactly one (RFC 5322 3.6)",
        )


def test_mail_of_no_tenant_is_relayed_from_whom_it_says_and_not_signed(
    tmp_path: Path, new_mta: Callable[..., MtaDaemon], sink: Sink
) -> None:
    mta = new_mta(smart_host=sink.port, more=settings(tmp_path))
    assert send(mta) == "250"
    assert send(mta, "To: b@y.test\n\nno author\n", sender="a@anything.test") == "250"
    wait_until(lambda: len(sink.envelopes) == 2)
    assert all(b"DKIM" not in bytes(envelope.content or b"") for envelope in sink.envelopes)


def test_the_smallest_network_names_the_tenant(tmp_path: Path, new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    listener = 'relay_from = ["0.0.0.0/0", { network = "127.0.0.1/32", tenant = "acme" }]'
    text = settings(tmp_path)
    mta = MtaDaemon(tmp_path, smart_host=sink.port, tenant="other", more=text)
    config = mta.config.read_text()
    mta.config.write_text(
        "\n".join(listener if line.startswith("relay_from") else line for line in config.splitlines())
    )
    mta.start()
    try:
        assert send(mta) == "250"
        assert send(mta, sender="a@other.test").startswith("550 5.7.1 tenant acme")
    finally:
        mta.stop()


def test_keys_are_rotated_without_a_restart(tmp_path: Path, new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    folder = tmp_path / "dkim/acme.test"
    folder.mkdir(parents=True)
    text = settings(tmp_path)
    (tmp_path / "key.pem").rename(folder / "first.pem")
    text = text.partition("[dkim]")[0] + '[dkim]\nfolder = "dkim"\n'
    mta = new_mta(smart_host=sink.port, tenant="acme", more=text)
    assert send(mta) == "250"
    (folder / "second.pem").write_bytes((folder / "first.pem").read_bytes())
    (folder / "first.pem").unlink()
    wait_until(lambda: mta.events("reloaded"))
    assert send(mta) == "250"
    wait_until(lambda: len(sink.envelopes) == 2)
    first, second = (bytes(envelope.content or b"") for envelope in sink.envelopes)
    assert b" s=first;" in first
    assert b" s=second;" in second
    assert b" s=first;" not in second
    assert dkim.verify(second, dnsfunc=record, minkey=1024)
