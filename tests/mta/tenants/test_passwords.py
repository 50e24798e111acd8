import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.tenants.passwords import Cost, PasswordHash, PasswordHashError

CHEAP = Cost(4, 1, 1)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_a_hash_is_its_passwords_alone_and_survives_its_text(password: str, other: str) -> None:
    stored = PasswordHash.parse(str(PasswordHash.of(password, CHEAP)))
    assert stored.verify(password)
    assert stored.verify(other) is (other == password)


def test_a_hash_is_scrypt_as_rfc_7914_has_it() -> None:
    digest = bytes.fromhex(
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )
    assert PasswordHash(Cost(10, 8, 16), b"NaCl", digest).verify("password")


def test_two_hashes_of_a_password_differ() -> None:
    assert str(PasswordHash.of("x", CHEAP)) != str(PasswordHash.of("x", CHEAP))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$scrypt$ln=99,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=20,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=1$AAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$2b$12$abcdefghijklmnopqrstuv",
    ],
)
def test_what_is_no_hash_or_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(PasswordHashError):
        PasswordHash.parse(text)
