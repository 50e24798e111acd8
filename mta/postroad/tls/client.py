"""How this host speaks TLS to another."""

import ssl
from pathlib import Path

from postroad.tls.certificate import certificates_in, load_chain


def client_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What verifies others, name or address included (RFC 9525), and shows a certificate of its own.

    Args:
        ca: the authorities whose certificates are trusted, and no others.
        certificate: shown where it is asked for; None for none.
        key: its key; None if that is in the same file.

    Raises:
        KeyFileError: a file can't be used.
    """
    certificates_in(ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    if certificate is not None:
        certificates_in(certificate)
        load_chain(context, certificate, key or certificate)
    return context
