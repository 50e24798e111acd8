"""What another spool may send as a batch: octets, and records whose checksums hold whatever they say.

Always: it is refused as a whole, or every message of it is one that SMTP could have brought and the queue can keep.
"""

import math

import msgspec
from postroad.drain.wire import BatchError, decode_batch
from postroad.queue.wheel import TimerWheel
from postroad.smtp.commands import parse_mail, parse_rcpt
from postroad.spool.record import RecordKind, check_of, encode_record


def check(data: bytes) -> None:
    try:
        batch = decode_batch(_batch(data))
    except BatchError:
        return
    wheel = TimerWheel()
    for message in batch.messages.values():
        if message.sender:
            parse_mail(b"FROM:<%s> SMTPUTF8" % message.sender)
        for recipient in message.recipients:
            parse_rcpt(b"TO:<%s>" % recipient, smtputf8=True)
        content = b"".join(message.content or ())
        assert b"\r\n.\r\n" not in b"\r\n" + content
        assert message.deliveries
        for delivery in message.deliveries:
            assert delivery.recipients
            assert all(0 <= index < len(message.recipients) for index in delivery.recipients)
            assert math.isfinite(delivery.due)
            assert math.isfinite(message.received)
            wheel.push(delivery)


def _batch(data: bytes) -> bytes:
    """Octets as they are, or a batch of as many messages as there are parts."""
    if data[:1] != b"\x01":
        return data
    parts = data[1:].split(b"\xfe\xff")
    head = msgspec.Raw(msgspec.msgpack.encode([b"h" * 16, b"t" * 16, len(parts)]))
    pieces = [encode_record(RecordKind.BATCH, 9, head)]  # type: ignore[arg-type]
    for number, part in enumerate(parts):
        size = part[0] if part else 0
        meta, body = part[1 : 1 + size], part[1 + size :]
        kind = RecordKind.TRANSFER
        pieces.append(encode_record(kind, number, msgspec.Raw(meta), len(body), check_of((body,))) + body)  # type: ignore[arg-type]
    return b"".join(pieces)
