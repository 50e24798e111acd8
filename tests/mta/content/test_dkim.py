"""Our signatures, judged by dkimpy."""

import base64
from pathlib import Path
from types import SimpleNamespace

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.content.dkim import Canonical, DkimKey, canonical_body
from postroad.content.key_error import KeyFileError

RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def record(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        octets = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(octets)
    octets = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(octets)


class _VerifyKey:
    """PyNaCl's key as far as dkimpy uses it: dkimpy judges the octets, the curve is `cryptography`'s."""

    def __init__(self, encoded: bytes, encoder: object) -> None:
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded))

    def verify(self, octets: bytes, signature: bytes) -> bytes:
        try:
            self._key.verify(signature, octets)
        except InvalidSignature:
            raise _BadSignatureError from None
        return octets


class _BadSignatureError(Exception):
    pass


@pytest.fixture(autouse=True)
def _nacl(monkeypatch: pytest.MonkeyPatch) -> None:
    nacl = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=SimpleNamespace(BadSignatureError=_BadSignatureError, ValueError=ValueError),
    )
    monkeypatch.setattr(dkim, "nacl", nacl, raising=False)


def verifies(message: bytes, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bool:
    return bool(dkim.verify(message, dnsfunc=lambda name, timeout=5: record(key), minkey=1024))


def signed(content: bytes, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return DkimKey("x.test", "s1", key).prepare(Canonical.of(content), now=1.7e9).signed() + content


MESSAGES = [
    b"From: a@x.test\r\nTo: b@y.test\r\nSubject: hi\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n",
    b"from:a@x.test\r\n\r\n",
    b"From: a@x.test\r\nSubject: folded\r\n\t line  with   spaces \r\nCc: c@d\r\n\r\n  a \t b  \r\n\r\n\r\n",
    b"From: a@x.test\r\nTo: one\r\nTo: two\r\nList-Unsubscribe: <https://x>\r\n\r\n.dot\r\n..\r\n",
]


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("content", MESSAGES)
def test_dkimpy_accepts_the_signature(content: bytes, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> None:
    assert verifies(signed(content, key), key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"body", b"bodi"),
        (b"Subject: hi", b"Subject: ho"),
        (b"\r\n\r\n", b"\r\nSubject: more\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nFrom: another@x.test\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_changed_message_does_not_verify(
    old: bytes, new: bytes, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
) -> None:
    message = signed(MESSAGES[0], key)
    header, body = message.split(b"\r\nFrom:", 1)
    changed = header + b"\r\nFrom:" + body.replace(old, new, 1)
    assert changed != message
    assert not verifies(changed, key)


@settings(deadline=None, max_examples=60)
@given(st.text("ab \t.\r\n", max_size=40).map(lambda text: text.replace("\r", "").replace("\n", "\r\n").encode()))
def test_the_body_is_canonical_as_dkimpy_has_it(body: bytes) -> None:
    whole = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert canonical_body(whole) == dkim.canonicalization.Relaxed.canonicalize_body(whole)


@pytest.mark.parametrize("content", [b"no key", b""])
def test_a_file_that_is_no_key_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=str(path)):
        DkimKey.load("x.test", "s1", path)
    with pytest.raises(KeyFileError, match="cannot be read"):
        DkimKey.load("x.test", "s1", tmp_path / "missing.pem")
