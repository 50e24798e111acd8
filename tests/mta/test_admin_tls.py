"""Operators with certificates: real processes, one or several, and the `postroad` command."""

import contextlib
import os
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, write_certificate
from daemons import BIN, MtaDaemon, ScriptedHost, wait_until


class Secured(MtaDaemon):
    """An MTA whose admin port speaks TLS and knows the clients of one authority."""

    def __init__(
        self, folder: Path, *, authority: Authority | None = None, workers: int = 1, smart_host: int = 1, more: str = ""
    ) -> None:
        self.authority = authority or Authority(folder, "ours")
        self.certificate = self.authority.host("mta")
        self.client = self.authority.issue("ann")
        tls = f'tls_certificate = "{self.certificate}"\ntls_client_ca = "{self.authority.file}"\n'
        super().__init__(folder, smart_host=smart_host, more=tls + more)
        self.config.write_text(f"workers = {workers}\n{self.config.read_text()}")
        self.tls = ssl.create_default_context(cafile=self.authority.file)
        self.tls.load_cert_chain(self.client)

    def postroad(self, *words: str, scheme: str = "https", **variables: Any) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"POSTROAD_ADMIN": f"{scheme}://{self.admin}", "COLUMNS": "200"}
        environment |= {f"POSTROAD_{name.upper()}": str(value) for name, value in variables.items()}
        return subprocess.run(
            [BIN / "postroad", *words], env=environment, capture_output=True, text=True, timeout=60, cwd=self.folder
        )

    def shown(self) -> str:
        """The certificate that the port shows."""
        return ssl.get_server_certificate(("127.0.0.1", self.admin_port))


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def mta(request: pytest.FixtureRequest, tmp_path: Path, stopped_after: Callable[[Any], Any]) -> Secured:
    made: Secured = stopped_after(Secured(tmp_path, workers=request.param))
    made.start()
    return made


def test_who_has_a_certificate_orders_and_the_log_says_who(mta: Secured) -> None:
    order = ("suspend", "--domain", "y.test", "--reason", "r")
    done = mta.postroad("--ca", "ours.pem", "--cert", str(mta.client), *order)
    assert done.returncode == 0, done
    listed = mta.postroad("orders", ca="ours.pem", cert=mta.client)
    assert "domain=y.test" in listed.stdout
    nobody = mta.postroad("orders", ca="ours.pem")
    assert nobody.returncode == 1
    assert nobody.stderr.endswith("needs a client certificate of an authority in [admin] tls_client_ca\n")
    wait_until(lambda: mta.events("admin_request", "admin_refused")[1:])
    given, refused = mta.events("admin_request", "admin_refused")
    assert (given["who"], given["asked"], given["status"]) == ("certificate CN=ann", "POST /orders", 200)
    assert given["body"]["domain"] == "y.test"
    assert given["answer"]["order"]["id"] in listed.stdout
    assert (refused["asked"], refused["peer"]) == ("GET /orders", "127.0.0.1")


def test_a_certificate_is_replaced_without_a_restart(mta: Secured) -> None:
    before = mta.shown()
    expiry = mta.metric("postroad_mta_admin_certificate_expiry_timestamp_seconds")
    mta.authority.host("mta", days=60)
    wait_until(lambda: mta.shown() != before)
    assert mta.metric("postroad_mta_admin_certificate_expiry_timestamp_seconds") == pytest.approx(
        expiry + 30 * 86400, abs=600
    )
    now = mta.shown()
    mta.certificate.write_text("nothing")
    wait_until(lambda: mta.events("reload_failed"))
    assert mta.events("reload_failed")[0]["reason"] == f"TLS certificate {mta.certificate}: no PEM certificate"
    assert mta.shown() == now


def test_what_does_not_fit_is_told_in_a_line(tmp_path: Path, stopped_after: Callable[[Any], Any]) -> None:
    mta = stopped_after(Secured(tmp_path))
    mta.start()
    Authority(tmp_path, "theirs").issue("bob")

    def said(*words: str, **variables: Any) -> str:
        done = mta.postroad(*words, "orders", **variables)
        assert done.returncode == 1, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    assert "its certificate isn't good: self-signed certificate in certificate chain: name" in said(
        ca="theirs.pem", cert=mta.client
    )
    assert "it refused the certificate of --cert: tlsv1 alert unknown ca" in said(ca="ours.pem", cert="bob.pem")
    assert "this port speaks TLS: write https://" in said(scheme="http")
    assert "isn't spoken to by TLS: write https://" in said("--cert", "ours.pem", scheme="http")
    assert "certificate none.pem: No such file or directory" in said("--cert", "none.pem", ca="ours.pem")
    assert "a PEM certificate and its unencrypted key are needed" in said(cert="ours.pem", ca="ours.pem")
    assert "POSTROAD_KEY is set without POSTROAD_CERT" in said("--key", "ann.pem", ca="ours.pem")
    assert "CA file mta.toml" not in said(ca="none.pem")
    mta.stop()
    plain = stopped_after(MtaDaemon(tmp_path, smart_host=1))
    plain.start()
    done = subprocess.run(
        [BIN / "postroad", "--ca", "ours.pem", "orders"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env=os.environ | {"POSTROAD_ADMIN": f"https://{plain.admin}"},
    )  # fmt: skip
    assert "it doesn't speak TLS: write http://" in done.stderr


def test_messages_move_between_mtas_over_tls(
    tmp_path: Path, stopped_after: Callable[[Any], Any], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt="450 4.2.0 later")
    authority = Authority(tmp_path, "ours")
    authority.issue("mover")

    def started(name: str, more: str) -> Secured:
        (tmp_path / name).mkdir()
        made: Secured = stopped_after(Secured(tmp_path / name, authority=authority, smart_host=host.port, more=more))
        made.start()
        return made

    trusting = f'[drain]\naccept_for = "0s"\nretry = "50ms"\ntls_ca = "{authority.file}"\n'
    stranger = started("stranger", trusting)
    sender = started("sender", f'{trusting}tls_certificate = "{tmp_path / "mover.pem"}"\n')
    target = started("target", "")
    for mta in (stranger, sender):
        with smtplib.SMTP("127.0.0.1", mta.port) as session:
            session.sendmail("a@x.test", ["b@y.test"], "Subject: x\n\nx\n")
        wait_until(lambda: mta.queue()["scheduled"] == 1)  # noqa: B023
        mta.drain(target.admin)
    wait_until(sender.safe, what="everything moved")
    assert target.queue()["messages"] == 1
    wait_until(lambda: stranger.drain_state()["targets"][0]["reason"])
    assert "needs a client certificate" in stranger.drain_state()["targets"][0]["reason"]
    assert stranger.queue()["messages"] == 1


CERTIFICATE, CA = 'tls_certificate = "chain.pem"\n', 'tls_client_ca = "ours.pem"\n'
KEY, OTHER = 'tls_key = "key.pem"\n', 'tls_key = "other.pem"\n'
DRAIN = '[drain]\ntls_ca = "ours.pem"\ntls_certificate = "other.pem"\n'


@pytest.mark.parametrize(
    ("admin", "broken", "problem"),
    [
        (KEY, "", "mta.toml: admin: tls_key and tls_client_ca need tls_certificate"),
        (CA, "", "mta.toml: admin: tls_key and tls_client_ca need tls_certificate"),
        (CERTIFICATE + KEY, "chain.pem", "TLS file chain.pem: cannot be read: No such file or directory"),
        (CERTIFICATE + KEY, "key.pem", "TLS file key.pem: cannot be read: No such file or directory"),
        (CERTIFICATE + KEY + CA, "ours.pem", "TLS file ours.pem: cannot be read: No such file or directory"),
        (CERTIFICATE + KEY + 'tls_client_ca = "key.pem"\n', "", "TLS certificate key.pem: no PEM certificate"),
        (
            CERTIFICATE + 'tls_key = "other.pem"\n',
            "",
            "TLS certificate chain.pem with key other.pem: key values mismatch",
        ),
        (CERTIFICATE, "", "TLS certificate chain.pem with key chain.pem: "),
        (DRAIN, "ours.pem", "TLS file ours.pem: cannot be read: No such file or directory"),
        (DRAIN, "other.pem", "TLS file other.pem: cannot be read: No such file or directory"),
        (DRAIN + 'tls_key = "key.pem"', "", "TLS certificate other.pem with key key.pem: key values mismatch"),
        ('[drain]\ntls_key = "key.pem"', "", "mta.toml: drain: tls_key needs tls_certificate, and that needs tls_ca"),
        ('token_file = "token"\n', "", "token file token: cannot be read: No such file or directory"),
        ('token_file = "empty"\n', "", "token file empty: holds no token: one word of printable ASCII is needed"),
    ],
)
def test_check_tells_in_a_line_what_cannot_be(tmp_path: Path, admin: str, broken: str, problem: str) -> None:
    write_certificate(tmp_path)
    (tmp_path / "empty").write_text("\n")
    authority = Authority(tmp_path, "ours")
    authority.host("other")
    with contextlib.suppress(FileNotFoundError):
        (tmp_path / (broken or "none")).unlink()
    done = checked(MtaDaemon(tmp_path, smart_host=1, more=admin))
    assert done.returncode == 78
    assert done.stderr.startswith(problem) or done.stderr.endswith(f"{problem}\n")
    assert done.stderr.count("\n") == 1


def checked(mta: MtaDaemon) -> subprocess.CompletedProcess[str]:
    command = [BIN / "postroad-mta", "check", "--config", mta.config.name]
    return subprocess.run(command, cwd=mta.folder, capture_output=True, text=True)


def test_check_warns_of_a_certificate_that_has_expired(tmp_path: Path) -> None:
    mta = Secured(tmp_path)
    assert checked(mta).stderr == ""
    mta.authority.host("mta", days=-1)
    done = checked(mta)
    assert (done.returncode, done.stdout) == (0, "postroad-mta.toml: good\n")
    assert f"mta.toml: warning: TLS certificate {mta.certificate} (CN=mta): expired on " in done.stderr
    assert done.stderr.count("\n") == 1
