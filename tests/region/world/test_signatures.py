"""DKIM of arriving mail."""

from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from postroad_region.world.signatures import SignatureCheck

MESSAGE = b"From: a@postroad.test\r\nTo: b@gmail.test\r\nSubject: x\r\n\r\nHello.\r\n"
NAME = "p1._domainkey.postroad.test"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def signed(key: rsa.RSAPrivateKey) -> bytes:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return bytes(dkim.sign(MESSAGE, b"p1", b"postroad.test", pem)) + MESSAGE


@pytest.fixture
def published(resolver: Any, key: rsa.RSAPrivateKey) -> Any:
    from base64 import b64encode

    octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    resolver.texts = {NAME: [b"v=DKIM1; k=rsa; p=" + b64encode(octets)]}
    return resolver


async def test_a_signature_that_holds_passes(published: Any, signed: bytes) -> None:
    assert (await SignatureCheck(10, published).check(signed)).outcome == "pass"


async def test_a_changed_message_fails(published: Any, signed: bytes) -> None:
    assert (await SignatureCheck(10, published).check(signed.replace(b"Hello", b"Hullo"))).outcome == "fail"


async def test_one_good_signature_is_enough(published: Any, signed: bytes) -> None:
    other = b"DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=x; h=from; bh=AA==; b=AA==\r\n"
    assert (await SignatureCheck(10, published).check(other + signed)).outcome == "pass"


async def test_a_message_without_signature_has_none(resolver: Any) -> None:
    assert (await SignatureCheck(10, resolver).check(MESSAGE)).outcome == "none"


async def test_a_header_in_the_body_is_no_signature(resolver: Any) -> None:
    assert (await SignatureCheck(10, resolver).check(MESSAGE + b"DKIM-Signature: d=x; s=y\r\n\r\n")).outcome == "none"


async def test_a_missing_key_fails(resolver: Any, signed: bytes) -> None:
    assert (await SignatureCheck(10, resolver).check(signed)).outcome == "fail"


async def test_a_key_that_cannot_be_asked_for_is_a_temporary_error(resolver: Any, signed: bytes) -> None:
    resolver.broken = {NAME}
    assert (await SignatureCheck(10, resolver).check(signed)).outcome == "temperror"


@pytest.mark.parametrize("junk", [b"", b" v=1", b" d=\xff; s=x", b" d=a.test; s=b; bh=; b="])
async def test_a_malformed_signature_fails_and_does_no_harm(published: Any, junk: bytes) -> None:
    published.texts["b._domainkey.a.test"] = [b"v=DKIM1; p=junk"]
    assert (await SignatureCheck(10, published).check(b"DKIM-Signature:" + junk + b"\r\n" + MESSAGE)).outcome == "fail"


async def test_beyond_the_rate_nothing_is_checked(published: Any, signed: bytes) -> None:
    now = [100.0]
    check = SignatureCheck(2, published, clock=lambda: now[0])
    assert [(await check.check(signed)).outcome for _ in range(3)] == ["pass", "pass", "unchecked"]
    now[0] = 101.0
    assert (await check.check(signed)).outcome == "pass"
