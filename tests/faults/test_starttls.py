"""STARTTLS is used where it is offered, whatever the certificate says."""

import datetime
import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from daemons import MtaDaemon, ProxyDaemon, Sink, wait_until

LINES = ("x" * 70 + "\n") * 1500


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone-else.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_mail_is_encrypted_also_through_the_proxy(
    tmp_path: Path,
    new_mta: Callable[..., MtaDaemon],
    new_proxy: Callable[..., ProxyDaemon],
    stopped_after: Callable[[Sink], Sink],
) -> None:
    sink = stopped_after(Sink(tls_context=self_signed(tmp_path), require_starttls=True).start())
    proxy = new_proxy()
    mta = new_mta(smart_host=sink.port, more=f'[egress]\nproxies = ["127.0.0.1:{proxy.port}"]\n')
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(3):
            client.sendmail("a@x.test", ["b@y.test"], f"X-Id: {number}\n\n{LINES}")
    wait_until(lambda: sum(sink.ids.values()) == 3)
    wait_until(lambda: len(mta.events("delivery")) == 3)
    assert all(event["tls"] for event in mta.events("delivery"))
