"""TLS and AUTH of a real MTA, with smtplib as client."""

import os
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import write_certificate
from daemons import BIN, MtaDaemon, Sink, wait_until
from postroad.tenants.passwords import Cost, PasswordHash
from postroad.wire.proxy_protocol import encode_v2
from test_behind_balancer import BALANCER, CLIENT

CHEAP = Cost(6, 8, 1)
TENANTS = '[tenants.acme]\ndomains = ["acme.test"]\n[tenants.other]\ndomains = ["other.test"]\n'
MESSAGE = "From: a@acme.test\nX-Id: 1\n\nbody\n"


def write_identities(folder: Path, **passwords: str) -> None:
    """Identities of tenant acme, in a file that is replaced as a whole."""
    lines = [f"{name} acme {PasswordHash.of(password, CHEAP)}\n" for name, password in passwords.items()]
    (folder / "identities.new").write_text("".join(lines))
    (folder / "identities.new").rename(folder / "identities")


@pytest.fixture
def secured_mta(tmp_path: Path, new_mta: Callable[..., MtaDaemon]) -> Callable[..., MtaDaemon]:
    """An MTA with a certificate, and identity `sender` with password `right`."""

    def make(tls: str = "starttls", auth: str = "offered", more: str = "", **options: Any) -> MtaDaemon:
        write_certificate(tmp_path)
        write_identities(tmp_path, sender="right")
        listener = f'tls = "{tls}"\ntls_certificate = "chain.pem"\ntls_key = "key.pem"\nauth = "{auth}"\n'
        settings = f'{TENANTS}[auth]\nfile = "identities"\nmax_failures = 4\n{more}'
        options = {"relay_from": "192.0.2.0/24"} | options
        return new_mta(listener=listener, more=settings, **options)

    return make


def context(folder: Path) -> ssl.SSLContext:
    """Trusts the MTA's certificate alone, for its name."""
    made = ssl.create_default_context(cafile=str(folder / "chain.pem"))
    made.check_hostname = False
    return made


def login(mta: MtaDaemon, password: str = "right", identity: str = "sender") -> int:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.starttls(context=context(mta.folder))
        try:
            return client.login(identity, password)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_who_authenticates_sends_its_tenants_mail_and_no_other(
    secured_mta: Callable[..., MtaDaemon], sink: Sink, mechanism: str
) -> None:
    mta = secured_mta(smart_host=sink.port)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        assert not client.has_extn("auth")
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="530"):
            client.sendmail("a@acme.test", ["b@y.test"], MESSAGE)
        client.starttls(context=context(mta.folder))
        client.ehlo()
        client.user, client.password = "sender", "right"  # type: ignore[attr-defined]
        authenticate = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        assert client.auth(mechanism, authenticate)[0] == 235
        with pytest.raises(smtplib.SMTPSenderRefused, match="tenant acme doesn't own"):
            client.sendmail("a@other.test", ["b@y.test"], MESSAGE)
        client.sendmail("a@acme.test", ["b@y.test"], MESSAGE)
    wait_until(lambda: sink.envelopes)
    assert b" with ESMTPSA id " in bytes(sink.envelopes[0].content or b"")
    (reception,) = mta.events("reception")
    assert (reception["tenant"], reception["identity"], reception["tls"]) == ("acme", "sender", True)


def test_tls_may_begin_with_the_connection(secured_mta: Callable[..., MtaDaemon], sink: Sink, tmp_path: Path) -> None:
    mta = secured_mta("implicit", "required", smart_host=sink.port, relay_from="127.0.0.0/8")
    with smtplib.SMTP_SSL("127.0.0.1", mta.port, context=context(tmp_path)) as client:
        assert not client.has_extn("starttls")
        with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            client.sendmail("a@acme.test", ["b@y.test"], MESSAGE)
        client.login("sender", "right")
        client.sendmail("a@acme.test", ["b@y.test"], MESSAGE + "x" * 300_000 + "\n")
    wait_until(lambda: sink.envelopes)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_is_spoken_behind_a_balancers_header(
    secured_mta: Callable[..., MtaDaemon], sink: Sink, tmp_path: Path, tls: str
) -> None:
    mta = secured_mta(tls, smart_host=sink.port, proxy_from="127.0.0.0/8")

    class Client(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # type: ignore[override]
            connection = socket.create_connection((host, port), timeout)
            connection.sendall(encode_v2(CLIENT, 40000, BALANCER, 587))
            return context(tmp_path).wrap_socket(connection) if tls == "implicit" else connection

    with Client("127.0.0.1", mta.port) as client:
        if tls == "starttls":
            client.starttls(context=context(tmp_path))
        client.login("sender", "right")
        client.sendmail("a@acme.test", ["b@y.test"], MESSAGE)
    wait_until(lambda: sink.envelopes)
    assert mta.events("reception")[0]["peer"] == str(CLIENT)


def test_commands_in_one_flight_with_starttls_are_never_acted_on(secured_mta: Callable[..., MtaDaemon]) -> None:
    mta = secured_mta(smart_host=1, relay_from="127.0.0.0/8")
    with socket.create_connection(("127.0.0.1", mta.port), timeout=15) as connection:
        connection.sendall(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
        said = connection.makefile("rb").read()
    assert said.splitlines()[-1].startswith(b"421 4.7.0 ")
    assert b"220 2.0.0" not in said


def test_an_smtp_client_without_tls_at_an_implicit_listener_is_cut(secured_mta: Callable[..., MtaDaemon]) -> None:
    mta = secured_mta("implicit", smart_host=1)
    with socket.create_connection(("127.0.0.1", mta.port), timeout=15) as connection:
        connection.sendall(b"EHLO client.test\r\n")
        assert b"220" not in connection.makefile("rb").read()
    wait_until(lambda: mta.events("tls_failed"))
    assert mta.metric('postroad_mta_tls_failures_total{listener="submission"}') == 1


def test_wrong_passwords_lock_the_client_out_for_a_while(secured_mta: Callable[..., MtaDaemon]) -> None:
    mta = secured_mta(smart_host=1)
    assert login(mta) == 235
    assert login(mta) == 235
    assert mta.metric('postroad_mta_authentications_total{outcome="remembered"}') == 1
    # smtplib tries each wrong password by PLAIN and by LOGIN. An identity that isn't there looks like any other.
    assert login(mta, "wrong") == 535
    assert login(mta, "wrong", "nobody") == 535
    assert login(mta) == 454
    assert [event["locked"] for event in mta.events("authentication_failed")] == [False] * 3 + [True]


def test_identities_and_certificates_change_without_a_restart(
    secured_mta: Callable[..., MtaDaemon], tmp_path: Path
) -> None:
    mta = secured_mta(smart_host=1)
    assert login(mta) == 235
    expiry = mta.metric('postroad_mta_tls_certificate_expiry_timestamp_seconds{listener="submission"}')
    write_identities(tmp_path, sender="new")
    write_certificate(tmp_path, days=90)
    wait_until(lambda: len(mta.events("reloaded")) == 2)
    assert login(mta, "new") == 235
    assert login(mta, "right") == 535
    later = mta.metric('postroad_mta_tls_certificate_expiry_timestamp_seconds{listener="submission"}')
    assert 59 * 86400 < later - expiry < 61 * 86400
    (tmp_path / "identities").write_text("sender acme nonsense\n")
    wait_until(lambda: mta.events("reload_failed"))
    assert login(mta, "new") == 235


def test_check_reads_the_files_and_hash_password_makes_what_they_need(
    secured_mta: Callable[..., MtaDaemon], tmp_path: Path
) -> None:
    mta = secured_mta(smart_host=1)
    mta.stop()
    command = [str(BIN / "postroad-mta"), "hash-password"]
    made = subprocess.run(command, input="geheim\n", capture_output=True, text=True, check=True).stdout.strip()
    assert PasswordHash.parse(made).verify("geheim")
    assert subprocess.run(command, input="\n", capture_output=True, text=True).returncode == 1
    check = [str(BIN / "postroad-mta"), "check", "--config", str(mta.config)]

    def checked() -> str:
        return subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, env=os.environ).stderr

    (tmp_path / "identities").write_text(f"new acme {made}\n")
    assert checked() == ""
    (tmp_path / "identities").write_text("new unknown x\n")
    assert checked() == "identities: line 1: there is no [tenants.unknown]; known here: acme, other\n"
    (tmp_path / "key.pem").unlink()
    assert checked() == "TLS file key.pem: cannot be read: No such file or directory\n"


def test_a_client_that_is_locked_out_is_so_at_every_worker(tmp_path: Path, stopped_after: Callable[[Any], Any]) -> None:
    write_certificate(tmp_path)
    write_identities(tmp_path, sender="right")
    listener = 'tls = "starttls"\ntls_certificate = "chain.pem"\ntls_key = "key.pem"\nauth = "offered"\n'
    more = f'{TENANTS}[auth]\nfile = "identities"\nmax_failures = 2\n'
    mta = stopped_after(MtaDaemon(tmp_path, smart_host=1, listener=listener, more=more))
    mta.config.write_text(f"workers = 2\n{mta.config.read_text()}")
    mta.start()
    # By PLAIN and by LOGIN, both at one worker.
    login(mta, "wrong")

    def locked_everywhere() -> bool:
        login(mta)
        answered = (mta.metric(f'postroad_mta_authentications_total{{outcome="locked",worker="{n}"}}') for n in (1, 2))
        return all(answered)

    wait_until(locked_everywhere, what="both workers lock the client out")
