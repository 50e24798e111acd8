"""A port's certificate and key, and the TLS that is spoken with them."""

import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from postroad.content.key_error import KeyFileError


class Certificate:
    """The files of a certificate chain and its key; connections that begin after `reload` have the new ones.

    Args:
        client_ca: the authorities whose client certificates are known. With them clients may show one; without one
            they are nobody in particular, and with another the handshake fails.

    Raises:
        KeyFileError: they can't be used together.
    """

    def __init__(self, chain: Path, key: Path, client_ca: Path | None = None) -> None:
        self.chain = chain
        self.key = key
        self.client_ca = client_ca
        self.reload()

    @property
    def files(self) -> list[Path]:
        """What is read."""
        return [file for file in (self.chain, self.key, self.client_ca) if file is not None]

    def reload(self) -> None:
        """Read the files again. Raises KeyFileError; what was read before stays."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client could make the server work for nothing (CVE-2011-1473).
        context.options |= ssl.OP_NO_RENEGOTIATION
        # An empty file is neither: ssl would tell it by its errno.
        own = certificates_in(self.chain)[0]
        load_chain(context, self.chain, self.key)
        authorities: Sequence[x509.Certificate] = []
        if self.client_ca is not None:
            authorities = certificates_in(self.client_ca)
            _ask_for_certificates(context, self.client_ca)
        self._checked = [(self.chain, own), *((self.client_ca, each) for each in authorities)]
        self.context = context
        self.expires = own.not_valid_after_utc.timestamp()
        """Unix time of the end of its validity."""

    def warnings(self) -> list[str]:
        """A line for each certificate that isn't valid today: clients will refuse it, or be refused."""
        now = time.time()
        found = []
        for file, certificate in self._checked:
            name = certificate.subject.rfc4514_string() or "no name"
            begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            if now >= end.timestamp():
                found.append(f"TLS certificate {file} ({name}): expired on {end:%Y-%m-%d %H:%M} UTC: replace it")
            elif now < begin.timestamp():
                found.append(f"TLS certificate {file} ({name}): valid only from {begin:%Y-%m-%d %H:%M} UTC")
        return found


def certificates_in(file: Path) -> Sequence[x509.Certificate]:
    """All certificates of a PEM file, at least one. Raises KeyFileError."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise KeyFileError(f"TLS file {file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeyFileError(f"TLS certificate {file}: no PEM certificate") from None


def load_chain(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    """Show a certificate, whose file was read before, with its key. Raises KeyFileError."""
    try:
        # A password would be asked for on the terminal: an empty one makes an encrypted key an error.
        context.load_cert_chain(chain, key, password="")
    except ssl.SSLError as error:
        raise KeyFileError(
            f"TLS certificate {chain} with key {key}: {_reason(error)}; "
            "a PEM chain, the host's own certificate first, and its unencrypted PEM key are needed"
        ) from None
    except OSError as error:
        raise KeyFileError(f"TLS file {key}: cannot be read: {error.strerror}") from None


def _ask_for_certificates(context: ssl.SSLContext, authorities: Path) -> None:
    """Have clients show a certificate if they have one; who shows none is let in too, and judged by whoever asks."""
    try:
        context.load_verify_locations(authorities)
    except (ssl.SSLError, OSError) as error:
        raise KeyFileError(f"TLS client CA {authorities}: {error}") from None
    context.verify_mode = ssl.CERT_OPTIONAL
    # A resumed session would keep the certificate of before, which may have ended meanwhile.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unusable").lower().replace("_", " ")
