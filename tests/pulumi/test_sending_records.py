"""The texts of a sending domain's records."""

from __future__ import annotations

from postroad_infra import sending_records


def test_spf_names_the_addresses_in_order_and_no_others() -> None:
    addresses = ["203.0.113.10", "203.0.113.9"]
    assert sending_records.spf(addresses) == "v=spf1 ip4:203.0.113.9 ip4:203.0.113.10 -all"


def test_a_long_text_is_cut_into_character_strings_that_join_to_the_whole() -> None:
    value = "v=DKIM1; k=rsa; p=" + "A" * 700
    parts = sending_records.txt(value).split('""')
    assert [len(part) for part in parts] == [255, 255, 208]
    assert "".join(parts) == value


def test_a_text_of_255_octets_stays_one_string() -> None:
    assert sending_records.txt("x" * 255) == "x" * 255


def test_dkim_and_dmarc_records_have_the_tags_in_the_order_that_the_rfcs_want() -> None:
    assert sending_records.dkim("AAAA", "ed25519") == "v=DKIM1; k=ed25519; p=AAAA"
    assert sending_records.dmarc("reject", "d@example.com") == "v=DMARC1; p=reject; rua=mailto:d@example.com"
