"""Route 53's spelling of names and texts."""

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.dns.names import character_strings, decimal_escapes, name_from_route53


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ("postroad.test.", (b"postroad", b"test", b"")),
        ("postroad.test", (b"postroad", b"test", b"")),
        ("WWW.Postroad.TEST.", (b"www", b"postroad", b"test", b"")),
        (r"\052.postroad.test.", (b"*", b"postroad", b"test", b"")),
        ("*.postroad.test.", (b"*", b"postroad", b"test", b"")),
        ("_dmarc.postroad.test.", (b"_dmarc", b"postroad", b"test", b"")),
        (r"a\056b.test.", (b"a.b", b"test", b"")),
        (r"a\.b.test.", (b"a.b", b"test", b"")),
        (r"\344.test.", (b"\xe4", b"test", b"")),
        (".", (b"",)),
    ],
)
def test_a_name_is_read_with_octal_escapes(written: str, labels: tuple[bytes, ...]) -> None:
    assert name_from_route53(written).labels == labels


@pytest.mark.parametrize("written", ["", "a..test", ".test", "a" * 64 + ".test", "a\\", ".".join(["abcdefg"] * 40)])
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        name_from_route53(written)


@pytest.mark.parametrize(
    ("written", "strings"),
    [
        ('"v=spf1 -all"', (b"v=spf1 -all",)),
        ('"a" "b"', (b"a", b"b")),
        ('"a""b"', (b"a", b"b")),
        ("word other", (b"word", b"other")),
        (r'"a\"b\\c"', (b'a"b\\c',)),
        (r'"\052\344"', (b"*\xe4",)),
        ('""', (b"",)),
        ('"a b"\t"c"', (b"a b", b"c")),
        ('"' + "x" * 600 + '"', (b"x" * 255, b"x" * 255, b"x" * 90)),
        ('"ä"', ("ä".encode(),)),
    ],
)
def test_a_text_is_its_strings(written: str, strings: tuple[bytes, ...]) -> None:
    assert character_strings(written) == strings


@pytest.mark.parametrize("written", ["", "   ", '"open', '"a" "b', '"a\\'])
def test_what_is_no_text_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        character_strings(written)


def test_octal_escapes_become_decimal_ones() -> None:
    assert decimal_escapes(r"10 \052x.postroad.test") == r"10 \042x.postroad.test"


def quoted(string: bytes) -> str:
    """As Route 53 asks for it: octal for all that isn't plain."""
    plain = (chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\{octet:03o}" for octet in string)
    return f'"{"".join(plain)}"'


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=5))
def test_every_text_comes_through_the_zone_file_as_it_was(strings: list[bytes]) -> None:
    read = character_strings(" ".join(map(quoted, strings)))
    assert read == tuple(strings)
    text = TXT(dns.rdataclass.IN, dns.rdatatype.TXT, read).to_text()
    assert dns.rdata.from_text("IN", "TXT", text).strings == tuple(strings)  # type: ignore[attr-defined]


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
def test_every_name_comes_through_the_zone_file_as_it_was(labels: list[bytes]) -> None:
    written = ".".join("".join(f"\\{octet:03o}" for octet in label) for label in labels)
    name = name_from_route53(written)
    assert name.labels == (*(label.lower() for label in labels), b"")
    assert dns.name.from_text(name.to_text()) == name
