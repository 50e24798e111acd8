import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.spool.record import (
    HEADER_SIZE,
    MessageMeta,
    RecordError,
    RecordKind,
    check_of,
    decode_message_meta,
    encode_record,
    read_record,
)
from postroad.spool.scan import Damage, scan

BODIES = st.lists(st.binary(max_size=80), min_size=1, max_size=6)


def message(id: int, body: bytes) -> bytes:
    meta = MessageMeta(1.5, b"a@x", (b"b@y", b"c@z"))
    return encode_record(RecordKind.MESSAGE, id, meta, len(body), check_of([body])) + body


def scanned(data: bytes) -> tuple[list[int], list[Damage]]:
    found = list(scan(data, 1, check_bodies=True))
    return [item.id for item in found if not isinstance(item, Damage)], [i for i in found if isinstance(i, Damage)]


def test_a_record_comes_back_as_it_was() -> None:
    data = message(7, b"body")
    record = read_record(data, 0)
    assert (record.kind, record.id, data[record.body_offset : record.end]) == (RecordKind.MESSAGE, 7, b"body")
    assert decode_message_meta(record.meta).recipients == (b"b@y", b"c@z")


@given(BODIES, st.data())
def test_a_log_cut_anywhere_gives_every_whole_record_and_reports_the_rest(
    bodies: list[bytes], data: st.DataObject
) -> None:
    records = [message(number, body) for number, body in enumerate(bodies)]
    log = b"".join(records)
    cut = data.draw(st.integers(0, len(log)))
    whole, end = 0, 0
    while whole < len(records) and end + len(records[whole]) <= cut:
        end += len(records[whole])
        whole += 1
    ids, damage = scanned(log[:cut])
    assert ids == list(range(whole))
    assert [(item.offset, item.size) for item in damage] == ([(end, cut - end)] if cut > end else [])


@given(BODIES, st.data())
def test_a_flipped_octet_costs_one_record_and_is_reported(bodies: list[bytes], data: st.DataObject) -> None:
    records = [message(number, body) for number, body in enumerate(bodies)]
    log = bytearray(b"".join(records))
    at = data.draw(st.integers(0, len(log) - 1))
    log[at] ^= data.draw(st.integers(1, 255))
    ids, damage = scanned(bytes(log))
    end = 0
    for number, record in enumerate(records):
        end += len(record)
        if at < end:
            assert ids == [other for other in range(len(records)) if other != number]
            assert sum(item.size for item in damage) == len(record)
            return


@given(st.binary(max_size=200), BODIES)
def test_garbage_before_a_record_does_not_hide_it(garbage: bytes, bodies: list[bytes]) -> None:
    records = [message(number, body) for number, body in enumerate(bodies)]
    ids, damage = scanned(garbage + b"".join(records))
    assert ids == list(range(len(records)))
    assert sum(item.size for item in damage) == len(garbage)


def test_a_newer_format_is_an_error_and_not_skipped_in_silence() -> None:
    record = bytearray(message(1, b""))
    record[5] = 9
    with pytest.raises(RecordError):
        read_record(bytes(record), 0)
    with pytest.raises(RecordError):
        read_record(b"x" * HEADER_SIZE, 0)
