"""Batches: what is sent comes back; what is hostile is one clear error and takes bounded memory."""

import contextlib
import math
import tracemalloc
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.drain.wire import Batch, BatchError, decode_batch, encode_batch
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.spool.message import Delivery, Message
from postroad.spool.record import HEADER_SIZE, RecordKind, encode_record

HERE, THERE = b"h" * 16, b"t" * 16


def message(
    id: int = 7,
    *,
    sender: bytes = b"a@x.test",
    recipients: tuple[bytes, ...] = (b"b@y.test", b"c@y.test", b"d@z.test"),
    open_ones: tuple[int, ...] = (0, 1, 2),
    attempts: int = 0,
    due: float = 500.0,
    reply: str = "",
    received: float = 100.0,
) -> Message:
    made = Message(id, received, sender, recipients, 0)
    made.deliveries = [Delivery(made, b"", open_ones, attempts, due if attempts else received, reply)]
    return made


def batch_of(item: Message, body: bytes = b"body\r\n") -> Batch:
    return decode_batch(b"".join(encode_batch(9, HERE, THERE, [(item, body)])))


def raw(octets: bytes) -> Any:
    """Octets in the place of a record's meta."""
    return msgspec.Raw(octets)


def forged(meta: Any, body: bytes = b"", count: int = 1, kind: RecordKind = RecordKind.TRANSFER) -> bytes:
    """A batch of one message with this meta, right in all checksums."""
    head = encode_record(RecordKind.BATCH, 9, raw(msgspec.msgpack.encode([HERE, THERE, count])))
    encoded = meta if isinstance(meta, bytes) else msgspec.msgpack.encode(meta)
    return head + encode_record(kind, 7, raw(encoded), len(body), zlib.crc32(body)) + body


META = [100.0, b"a@x.test", [b"b@y.test"], False, False, 7, []]


def test_tenant_campaign_and_what_the_sender_asked_to_be_told_go_along() -> None:
    item = message()
    item.tenant, item.campaign = "acme", "autumn"
    item.dsn = DsnRequest("HDRS", b"QQ1", (Notify.NEVER, 0, Notify.DELAY), (b"", b"rfc822;c@y.test", b""))
    found = batch_of(item).messages[7]
    assert (found.tenant, found.campaign, found.dsn) == ("acme", "autumn", item.dsn)


@pytest.mark.parametrize(
    "more",
    [["a\r\nb"], ["", "a\nb"], ["", "", ["FULL", b"", [0, 0], []]], ["", "", ["FULL", b"\r\n"]]],
)
def test_a_forged_request_of_the_sender_is_declined(more: list[Any]) -> None:
    assert decode_batch(forged(META + more)).declined


def test_a_message_comes_with_all_that_is_known_of_it() -> None:
    batch = batch_of(message(open_ones=(1, 2), attempts=3, reply="450 4.2.0 later"), b"..x\r\n")
    assert (batch.number, batch.origin, batch.to, batch.declined) == (9, HERE, THERE, {})
    found = batch.messages[7]
    assert (found.sender, found.recipients, found.received) == (b"a@x.test", message().recipients, 100.0)
    assert (found.size, found.content, found.accepted_as) == (5, (b"..x\r\n",), 7)
    assert [(part.domain, part.recipients, part.attempts, part.due, part.reply) for part in found.deliveries] == [
        (b"y.test", (1,), 3, 500.0, "450 4.2.0 later"),
        (b"z.test", (2,), 3, 500.0, "450 4.2.0 later"),
    ]


def test_the_id_of_the_first_acceptance_goes_on() -> None:
    item = message()
    item.accepted_as = 3
    assert batch_of(item).messages[7].queue_id == "3"


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 2), min_size=1), st.integers(0, 9), st.text(max_size=80), st.binary(max_size=40)
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_sent_is_what_comes(items: list[tuple[set[int], int, str, bytes]]) -> None:
    content = []
    for id, (open_ones, attempts, reply, body) in enumerate(items):
        body = body.hex().encode() + b"\r\n"
        reply = reply.encode("utf-8", "replace").decode()
        content.append((message(id, open_ones=tuple(open_ones), attempts=attempts, reply=reply), body))
    batch = decode_batch(b"".join(encode_batch(9, HERE, THERE, content)))
    assert list(batch.messages) == list(range(len(items)))
    for (sent, body), found in zip(content, batch.messages.values(), strict=True):
        assert found.content == (body,)
        assert {i for part in found.deliveries for i in part.recipients} == set(sent.deliveries[0].recipients)
        assert {part.attempts for part in found.deliveries} == {sent.deliveries[0].attempts}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({0: math.nan}, "no possible time"),
        ({0: -1.0}, "no possible time"),
        ({0: 1e18}, "no possible time"),
        ({1: b"a@x>\r\nRCPT TO:<e@x"}, "an address that is none"),
        ({1: b"a b"}, "an address that is none"),
        ({2: [b""]}, "an address that is none"),
        ({2: [b"b@y.test\r\nDATA"]}, "an address that is none"),
        ({2: ["ü@y.test".encode()]}, "an address that is none"),
        ({6: [[[0], [], [], 0, 0.0, ""]]}, "no recipient is open"),
        ({6: [[[1], [], [], 0, 0.0, ""]]}, "a recipient that it doesn't have"),
        ({6: [[[], [-1], [], 0, 0.0, ""]]}, "a recipient that it doesn't have"),
        ({6: [[[], [], [0], 1, math.inf, ""]]}, "a schedule"),
        ({6: [[[], [], [0], -1, 1.0, ""]]}, "a schedule"),
        ({6: [[[], [], [0], 1, 1.0, "x" * 501]]}, "a reply"),
    ],
)
def test_a_message_that_would_do_harm_is_declined_and_says_why(changed: dict[int, Any], reason: str) -> None:
    batch = decode_batch(forged([changed.get(index, value) for index, value in enumerate(META)], b"x\r\n"))
    assert batch.messages == {}
    assert reason in batch.declined[7]


@pytest.mark.parametrize("body", [b"x", b".\r\n", b"x\r\n.\r\nMAIL FROM:<a@x>\r\n"])
def test_a_body_that_would_end_data_early_is_declined(body: bytes) -> None:
    assert "SMTP can't carry" in batch_of(message(), body).declined[7]


def test_one_declined_message_does_not_stop_the_others() -> None:
    content = [(message(1), b"x\r\n"), (message(2), b"no line end"), (message(3), b"y\r\n")]
    batch = decode_batch(b"".join(encode_batch(9, HERE, THERE, content)))
    assert (list(batch.messages), list(batch.declined)) == ([1, 3], [2])


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"x" * 1000,
        encode_record(RecordKind.SEGMENT, 1),
        forged(META, kind=RecordKind.MESSAGE),
        forged(META, count=2),
        forged(META) + b"x",
        forged(META) + forged(META),
        forged([*META[:2], [], *META[3:]]),
        forged([100.0]),
        forged(b""),
        forged({"sender": 1}),
        forged(META).replace(b"h" * 16, b"h" * 15 + b"i"),
    ],
)
def test_what_is_no_batch_is_one_error(octets: bytes) -> None:
    with pytest.raises(BatchError):
        decode_batch(octets)


@given(st.data())
def test_a_batch_that_was_cut_or_changed_is_never_half_used(data: st.DataObject) -> None:
    whole = bytearray(b"".join(encode_batch(9, HERE, THERE, [(message(1), b"x\r\n"), (message(2), b"y\r\n")])))
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BatchError):
        decode_batch(whole)


@given(st.binary(max_size=400))
def test_garbage_in_right_checksums_is_an_error_or_a_message(meta: bytes) -> None:
    try:
        batch = decode_batch(forged(meta))
    except BatchError:
        return
    assert len(batch.messages) + len(batch.declined) == 1


@pytest.mark.parametrize(
    "meta",
    [
        # Each claims or holds far more elements than a message may have.
        b"\x97\xcb" + bytes(8) + b"\xc4\x00" + b"\xdd\xff\xff\xff\xff",
        b"\x97\xcb" + bytes(8) + b"\xc4\x00" + b"\xdd\x00\x3f\xff\xff" + b"\xc4\x00" * 0x3FFFFF,
        b"\x97\xcb" + bytes(8) + b"\xc6\xff\xff\xff\xff",
        b"\x97" * 100_000,
        b"\x97\xcb" + bytes(8) + b"\xc4\x00\x91\xc4\x00\xc2\xc2\x07" + b"\xdd\x00\x00\xc3\x50" + b"\x90" * 50_000,
    ],
)
def test_memory_stays_within_a_small_multiple_of_what_came(meta: bytes) -> None:
    octets = forged(meta)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with contextlib.suppress(BatchError):
            decode_batch(octets)
        used = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert used < 2 * len(octets) + (12 << 20)


def test_a_record_that_claims_a_huge_body_takes_nothing() -> None:
    head = forged(META)[: -HEADER_SIZE - len(msgspec.msgpack.encode(META))]
    with pytest.raises(BatchError, match="torn body"):
        decode_batch(head + encode_record(RecordKind.TRANSFER, 7, raw(msgspec.msgpack.encode(META)), 1 << 30, 0))
