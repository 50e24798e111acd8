"""Who may ask what of an admin port."""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass

from cryptography import x509

from postroad.admin.token import read_token
from postroad.settings.mta import AdminSettings
from postroad.tls.certificate import Certificate

_LONGEST_NAME = 500
_KINDS: tuple[tuple[type[x509.GeneralName], str], ...] = (
    (x509.RFC822Name, "email"),
    (x509.DNSName, "DNS"),
    (x509.UniformResourceIdentifier, "URI"),
    (x509.IPAddress, "IP"),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows of itself.

    Args:
        address: where it is.
        token: what it gave as bearer token (RFC 6750 2.1); None if it gave none.
        certificate: whom a certificate names that one of the client authorities issued; None if it showed none.
    """

    address: str
    token: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that is answered; `name` says who it is, for the log."""

    name: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A client that isn't, with the HTTP status and what would be needed."""

    status: int
    reason: str


def judge(shown: Credentials, *, open: bool, token: str | None, certificates: bool) -> Caller | Refusal:
    """Whether a client may make a request.

    A certificate or the token is enough. Where neither can be had, whoever is on this host may ask.

    Args:
        open: everybody may make it.
        token: the one that is good; None if there is none.
        certificates: whether clients can have a certificate that is known here.
    """
    if shown.certificate is not None:
        return Caller(f"certificate {shown.certificate}")
    if token is not None and shown.token is not None and hmac.compare_digest(shown.token.encode(), token.encode()):
        return Caller("token")
    if open:
        return Caller("anybody")
    if token is None and not certificates:
        if ipaddress.ip_address(shown.address.partition("%")[0]).is_loopback:
            return Caller("loopback")
        return Refusal(403, "answers on loopback only: neither token_file nor tls_client_ca of [admin] is configured")
    wanted = ["the bearer token of [admin] token_file"] if token is not None else []
    wanted += ["a client certificate of an authority in [admin] tls_client_ca"] if certificates else []
    return Refusal(403 if token is None else 401, f"needs {' or '.join(wanted)}")


class Access:
    """What an admin port asks of its clients.

    Args:
        token: the bearer token that is good.
        certificate: with it the port speaks TLS, and knows clients by its client authorities.
    """

    def __init__(self, token: str | None = None, certificate: Certificate | None = None) -> None:
        self._token = token
        self.certificate = certificate

    def judge(
        self, *, open: bool, address: str, authorization: str = "", client: bytes | None = None
    ) -> Caller | Refusal:
        """Whether a client may make a request.

        Args:
            authorization: the request's field of this name.
            client: the client's verified certificate, DER.
        """
        scheme, _, token = authorization.partition(" ")
        shown = Credentials(
            address,
            token.strip() if scheme.lower() == "bearer" else None,
            certificate_name(client) if client is not None else None,
        )
        known = self.certificate is not None and self.certificate.client_ca is not None
        return judge(shown, open=open, token=self._token, certificates=known)


def admin_access(settings: AdminSettings) -> Access:
    """What the settings say. Raises KeyFileError."""
    certificate = None
    if settings.tls_certificate is not None:
        key = settings.tls_key or settings.tls_certificate
        certificate = Certificate(settings.tls_certificate, key, settings.tls_client_ca)
    return Access(read_token(settings.token_file), certificate)


def certificate_name(der: bytes) -> str:
    """Whom a certificate names: its subject (RFC 4514), with the alternative names behind it."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject.rfc4514_string()
        others = _alternative_names(certificate)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return f"with digest {hashlib.sha256(der).hexdigest()}"
    name = f"{subject} ({', '.join(others)})" if others else subject
    return name.strip()[:_LONGEST_NAME]


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [f"{kind}:{name.value}" for name in names for known, kind in _KINDS if isinstance(name, known)]
