from pathlib import Path

import pytest
from postroad.settings.load import SettingsError
from postroad.tenants.identities import read_identities
from postroad.tenants.passwords import Cost, PasswordHash

HASH = PasswordHash.of("secret", Cost(4, 1, 1))


def test_identities_are_read(tmp_path: Path) -> None:
    path = tmp_path / "identities"
    path.write_text(f"# name tenant hash\n\nnews@acme.test acme {HASH}\njürgen\tacme   {HASH}\n")
    identities = read_identities(path, ["acme"])
    assert [(each.name, each.tenant) for each in identities.values()] == [
        ("news@acme.test", "acme"),
        ("jürgen", "acme"),
    ]
    assert identities["jürgen"].password.verify("secret")


def test_every_wrong_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "identities"
    path.write_text(f"a acme {HASH}\nb other {HASH}\nc acme\na acme {HASH}\nd acme secret\n{'x' * 256} acme {HASH}\n")
    with pytest.raises(SettingsError) as caught:
        read_identities(path, ["acme"])
    assert caught.value.problems == [
        f"{path}: line 2: there is no [tenants.other]; known here: acme",
        f"{path}: line 3: must be an identity, its tenant and the hash of its password",
        f"{path}: line 4: identity a is there twice",
        f"{path}: line 5: identity d: no hash as `postroad-mta hash-password` makes it",
        f"{path}: line 6: an identity has at most 255 octets (RFC 4616)",
    ]
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_identities(tmp_path / "none", [])
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_identities(tmp_path / "binary", [])
