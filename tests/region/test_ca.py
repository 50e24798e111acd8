"""The box's certificate authority."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from postroad_region.ca import ensure_authority


def verify(chain: bytes, authority: x509.Certificate, name: str) -> None:
    leaf, *rest = x509.load_pem_x509_certificates(chain)
    verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName(name))
    verifier.verify(leaf, rest)


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    first = ensure_authority(tmp_path / "ca")
    assert ensure_authority(tmp_path / "ca").certificate == first.certificate
    assert (tmp_path / "ca/ca.key").stat().st_mode & 0o777 == 0o600


def test_what_it_issues_is_trusted_for_its_names_alone(tmp_path: Path) -> None:
    authority = ensure_authority(tmp_path)
    issued = authority.issue(["mx.gmail.test", "198.51.100.25"])
    verify(issued.chain, authority.certificate, "mx.gmail.test")
    with pytest.raises(VerificationError):
        verify(issued.chain, authority.certificate, "mx.yahoo.test")
    leaf = x509.load_pem_x509_certificate(issued.chain)
    assert load_pem_private_key(issued.key, None).public_key() == leaf.public_key()


def test_a_negative_lifetime_gives_an_expired_certificate(tmp_path: Path) -> None:
    authority = ensure_authority(tmp_path)
    issued = authority.issue(["mx.gmail.test"], lifetime=datetime.timedelta(days=-7))
    with pytest.raises(VerificationError, match="valid at"):
        verify(issued.chain, authority.certificate, "mx.gmail.test")


def test_a_key_without_certificate_is_made_anew(tmp_path: Path) -> None:
    ensure_authority(tmp_path)
    (tmp_path / "ca.crt").unlink()
    ensure_authority(tmp_path)
    ensure_authority(tmp_path)


def test_files_that_do_not_belong_together_are_an_error(tmp_path: Path) -> None:
    ensure_authority(tmp_path / "a")
    ensure_authority(tmp_path / "b")
    (tmp_path / "a/ca.key").replace(tmp_path / "b/ca.key")
    with pytest.raises(ValueError, match="isn't the key of"):
        ensure_authority(tmp_path / "b")
