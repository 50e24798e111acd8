"""DKIM signatures, relaxed/relaxed (RFC 6376, Ed25519 by RFC 8463)."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from postroad.content.headers import header_end
from postroad.content.key_error import KeyFileError

# RFC 6376 5.4.1. What lists or forwarders may rewrite is left out.
SIGNED = (
    b"from", b"to", b"cc", b"reply-to", b"subject", b"date", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
OVERSIGNED = (b"from", b"to", b"subject", b"date", b"message-id")
"""Signed once more than they occur, so that nobody adds another (RFC 6376 8.15)."""
_SPACES = re.compile(rb"[ \t]+")


def canonical_body(body: bytes) -> bytes:
    """The body, whose lines end with CRLF, in relaxed form (RFC 6376 3.4.4)."""
    # Replacing again and again until nothing is left to replace takes a tenth of what regular expressions take.
    body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def canonical_field(name: bytes, value: bytes) -> bytes:
    """A header field in relaxed form, without its CRLF (RFC 6376 3.4.2)."""
    return name.strip().lower() + b":" + _SPACES.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \t")


def split_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Names (lower case) and values of all header fields, in order; folded lines stay in their value."""
    fields: list[tuple[bytes, bytes]] = []
    for line in header.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if fields:
                name, value = fields[-1]
                fields[-1] = (name, value + b"\r\n" + line)
        else:
            name, colon, value = line.partition(b":")
            if colon:
                fields.append((name.strip().lower(), value))
    return fields


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and the name it is published under."""

    domain: str
    selector: str
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @classmethod
    def load(cls, domain: str, selector: str, path: Path) -> "DkimKey":
        """Read a PEM file.

        Raises:
            KeyFileError: it can't be read, or is no key that DKIM knows.
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise KeyFileError(f"DKIM key {path}: cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyFileError(f"DKIM key {path}: not an unencrypted PEM private key") from None
        if isinstance(key, rsa.RSAPrivateKey):
            if key.key_size < 1024:
                raise KeyFileError(f"DKIM key {path}: {key.key_size} bits, verifiers want 1024 at least (RFC 8301)")
        elif not isinstance(key, ed25519.Ed25519PrivateKey):
            raise KeyFileError(f"DKIM key {path}: neither RSA nor Ed25519")
        return cls(domain, selector, key)

    @property
    def algorithm(self) -> bytes:
        """The `a=` tag."""
        return b"rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else b"ed25519-sha256"

    def prepare(self, message: "Canonical", *, now: float) -> "Unsigned":
        """What is to be signed of a message."""
        field = b" v=1; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n\tt=%d; h=%s;\r\n\tbh=%s;\r\n\tb=" % (
            self.algorithm,
            self.domain.encode(),
            self.selector.encode(),
            int(now),
            message.names,
            message.body_hash,
        )
        return Unsigned(self.key, field, b"".join((message.fields, canonical_field(b"DKIM-Signature", field))))


@dataclass(frozen=True, slots=True)
class Canonical:
    """A message in the form that is signed, the same for all keys.

    Args:
        names: the value of `h=`, folded.
        fields: the header fields that it names, in relaxed form.
        body_hash: the value of `bh=`.
    """

    names: bytes
    fields: bytes
    body_hash: bytes

    @classmethod
    def of(cls, content: bytes) -> "Canonical":
        """That of a message (not dot-stuffed)."""
        end = header_end(content)
        body = content[end:].removeprefix(b"\r\n")
        names, fields = _select(split_fields(content[:end]))
        digest = hashlib.sha256(canonical_body(body)).digest()
        return cls(_fold(names), b"".join(fields), base64.b64encode(digest))


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A signature that is to be made.

    Args:
        field: the value of the DKIM-Signature field up to `b=`.
        octets: what is signed.
    """

    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    field: bytes
    octets: bytes

    @property
    def quick(self) -> bool:
        """Whether it takes less time than to hand it to another thread."""
        return not isinstance(self.key, rsa.RSAPrivateKey)

    def signed(self) -> bytes:
        """The DKIM-Signature field, CRLF included."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            signature = self.key.sign(self.octets, padding.PKCS1v15(), hashes.SHA256())
        else:
            # RFC 8463 3: PureEdDSA over the SHA-256 of what RSA would sign.
            signature = self.key.sign(hashlib.sha256(self.octets).digest())
        return b"DKIM-Signature:" + self.field + _wrap(base64.b64encode(signature)) + b"\r\n"


def _select(fields: list[tuple[bytes, bytes]]) -> tuple[list[bytes], list[bytes]]:
    """Names for `h=` and canonical fields to hash; of equal names the last comes first (RFC 6376 5.4.2)."""
    by_name: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    names: list[bytes] = []
    signed: list[bytes] = []
    for name in SIGNED:
        for value in reversed(by_name.get(name, ())):
            names.append(name)
            signed.append(canonical_field(name, value) + b"\r\n")
        if name in OVERSIGNED:
            names.append(name)
    return names, signed


def _fold(names: list[bytes]) -> bytes:
    lines: list[bytes] = []
    for first in range(0, len(names), 6):
        lines.append(b":".join(names[first : first + 6]))
    return b":\r\n\t ".join(lines)


def _wrap(encoded: bytes) -> bytes:
    return b"\r\n\t ".join(encoded[at : at + 72] for at in range(0, len(encoded), 72))
