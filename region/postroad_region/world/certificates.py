"""TLS of the MX hosts, with certificates of the box's authority."""

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from postroad_region.atomic_file import write_atomically
from postroad_region.ca import Authority
from postroad_region.world.definition import Provider

_LIFETIME = datetime.timedelta(days=825)
_LEFT = datetime.timedelta(days=60)
_EXPIRED_SINCE = datetime.timedelta(days=-7)


def tls_context(provider: Provider, host: str, *, authority: Authority, folder: Path) -> ssl.SSLContext | None:
    """What a host presents after STARTTLS, kept in `folder`; None if the provider offers no TLS.

    A certificate is made anew at a start of the world when it isn't the authority's or less than 60 days are left.
    """
    if provider.tls == "none":
        return None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{host}-{provider.tls}.pem"
    if not _serves(file, authority, expired=provider.tls == "expired"):
        lifetime = _EXPIRED_SINCE if provider.tls == "expired" else _LIFETIME
        issued = authority.issue([host], lifetime=lifetime)
        write_atomically(file, issued.key + issued.chain, mode=0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    return context


def _serves(file: Path, authority: Authority, *, expired: bool) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        certificate.verify_directly_issued_by(authority.certificate)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return expired or left > _LEFT
