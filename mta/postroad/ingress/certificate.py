"""A listener's certificate and key, and the TLS that is spoken with them."""

import ssl
from pathlib import Path

from cryptography import x509

from postroad.content.key_error import KeyFileError


class Certificate:
    """The files of a certificate chain and its key; connections that begin after `reload` have the new one.

    Raises:
        KeyFileError: they can't be used together.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self.chain = chain
        self.key = key
        self.reload()

    def reload(self) -> None:
        """Read the files again. Raises KeyFileError; what was read before stays."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client could make the server work for nothing (CVE-2011-1473).
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            # A password would be asked for on the terminal: an empty one makes an encrypted key an error.
            context.load_cert_chain(self.chain, self.key, password="")
            certificate = x509.load_pem_x509_certificates(self.chain.read_bytes())[0]
        except ssl.SSLError as error:
            raise KeyFileError(
                f"TLS certificate {self.chain} with key {self.key}: {_reason(error)}; "
                "a PEM chain, the host's own certificate first, and its unencrypted PEM key are needed"
            ) from None
        except OSError as error:
            missing = self.chain if not _readable(self.chain) else self.key
            raise KeyFileError(f"TLS file {missing}: cannot be read: {error.strerror}") from None
        except (ValueError, IndexError):
            raise KeyFileError(f"TLS certificate {self.chain}: no PEM certificate") from None
        self.context = context
        self.expires = certificate.not_valid_after_utc.timestamp()
        """Unix time of the end of its validity."""


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unusable").lower().replace("_", " ")


def _readable(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
