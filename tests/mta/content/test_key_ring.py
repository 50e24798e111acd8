from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from postroad.content.key_error import KeyFileError
from postroad.content.key_ring import KeyFile, KeyRing


def write_key(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.with_suffix(".new").write_bytes(pem)
    return path.with_suffix(".new").rename(path)


def selectors(ring: KeyRing, domain: bytes = b"acme.test") -> list[str]:
    return [key.selector for key in ring.of(domain)]


def owned(domain: bytes) -> bool:
    return domain.lower() == b"acme.test"


def test_keys_of_a_folder_and_named_ones_sign_together(tmp_path: Path) -> None:
    named = KeyFile("Acme.test", "n1", write_key(tmp_path / "named.pem"))
    write_key(tmp_path / "keys/acme.test/f1.pem")
    write_key(tmp_path / "keys/acme.test/f2.sub.pem")
    ring = KeyRing([named], tmp_path / "keys", owned=owned)
    assert selectors(ring) == ["n1", "f1", "f2.sub"]
    assert selectors(ring, b"other.test") == []


def test_keys_are_rotated_by_their_files_and_only_the_changed_are_read(tmp_path: Path) -> None:
    first = write_key(tmp_path / "acme.test/s1.pem")
    ring = KeyRing([], tmp_path, owned=owned)
    (before,) = ring.of(b"acme.test")
    write_key(tmp_path / "acme.test/s2.pem")
    ring.reload()
    assert selectors(ring) == ["s1", "s2"]
    assert ring.of(b"acme.test")[0] is before
    write_key(first)
    ring.reload()
    assert ring.of(b"acme.test")[0] is not before
    first.unlink()
    ring.reload()
    assert selectors(ring) == ["s2"]


def test_what_cannot_be_read_leaves_what_was_there(tmp_path: Path) -> None:
    write_key(tmp_path / "acme.test/s1.pem")
    ring = KeyRing([], tmp_path, owned=owned)
    broken = tmp_path / "acme.test/s2.pem"
    broken.write_text("no key")
    with pytest.raises(KeyFileError, match=str(broken)):
        ring.reload()
    assert selectors(ring) == ["s1"]


def test_a_key_of_nobodys_domain_is_told(tmp_path: Path) -> None:
    write_key(tmp_path / "other.test/s1.pem")
    with pytest.raises(KeyFileError, match=r"other\.test is no tenant's"):
        KeyRing([], tmp_path, owned=owned)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no such folder"):
        KeyRing([], tmp_path / "none", owned=owned)
