"""A batch of messages on its way from one spool to another, as octets.

It is made of the log's own records: one that says which spool sends what to which, then one for each message, with its
body. What became of its recipients so far is part of a message's record.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from postroad.clock import steady
from postroad.smtp.commands import CommandError, parse_mail, parse_rcpt
from postroad.smtp.envelope import DsnRequest, dsn_problem
from postroad.spool.entries import state_of
from postroad.spool.identity import SIZE
from postroad.spool.message import Message
from postroad.spool.record import (
    HEADER_SIZE,
    MAX_META,
    OutcomeMeta,
    Record,
    RecordKind,
    check_of,
    encode_record,
    read_record,
)
from postroad.spool.schedule import Schedule, plan_deliveries, replay_outcome

FORMAT = 1
"""Told in the greeting; another one isn't sent to."""
MAX_MESSAGES = 10_000
MAX_RECIPIENTS = 50_000
"""Of one message: as many as the settings of a listener permit."""
MAX_REPLY = 500
MAX_NAME = 255
"""Characters of a tenant's or a campaign's name."""
_CLOCKS_DIFFER = 86400.0
"""Seconds that another host's clock may be ahead."""

Identity = Annotated[bytes, msgspec.Meta(min_length=SIZE, max_length=SIZE)]


class BatchError(ValueError):
    """The octets are no batch."""


class _BatchMeta(msgspec.Struct, array_like=True):
    origin: Identity
    to: Identity
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_MESSAGES)]


class _TransferMeta(msgspec.Struct, array_like=True):
    received: float
    sender: bytes
    # Lengths are judged before anything is made of the elements.
    recipients: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=MAX_RECIPIENTS)]
    eight_bit: bool
    smtputf8: bool
    accepted_as: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    state: Annotated[tuple[OutcomeMeta, ...], msgspec.Meta(max_length=MAX_RECIPIENTS)]
    tenant: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    campaign: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    dsn: DsnRequest | None = None


_decode_batch = msgspec.msgpack.Decoder(_BatchMeta).decode
_decode_transfer = msgspec.msgpack.Decoder(_TransferMeta).decode


@dataclass(slots=True)
class Batch:
    """What one spool offers to another. Ids are those of the sender's spool."""

    number: int
    origin: bytes
    to: bytes
    messages: dict[int, Message]
    """Each with its content and open deliveries, not yet of any spool."""
    declined: dict[int, str]
    """Messages that no spool should take, with the reason."""


def encode_batch(number: int, origin: bytes, to: bytes, messages: Sequence[tuple[Message, bytes]]) -> list[bytes]:
    """A batch in pieces."""
    pieces = [encode_record(RecordKind.BATCH, number, _BatchMeta(origin, to, len(messages)))]
    for message, body in messages:
        meta = _TransferMeta(
            steady.wall(message.received),
            message.sender,
            message.recipients,
            message.eight_bit,
            message.smtputf8,
            message.accepted_as or message.id,
            state_of(message),
            message.tenant,
            message.campaign,
            message.dsn,
        )
        pieces.append(encode_record(RecordKind.TRANSFER, message.id, meta, len(body), check_of((body,))))
        pieces.append(body)
    return pieces


def max_batch_size(batch_octets: int, message_octets: int) -> int:
    """Octets of the largest batch that is sent: either kind of batch with the largest envelope."""
    return max(batch_octets, message_octets) + MAX_META + (MAX_MESSAGES + 1) * HEADER_SIZE


def decode_batch(data: bytes | bytearray | memoryview) -> Batch:
    """A batch from its octets; memory beyond that of `data` stays within a small multiple of its size.

    Raises:
        BatchError: they are none. Nothing of it may be used then.
    """
    with memoryview(data) as view:
        try:
            return _decode(view)
        except (ValueError, msgspec.DecodeError) as error:  # a RecordError, or text that isn't UTF-8
            raise BatchError(str(error)) from None


def _decode(view: memoryview) -> Batch:
    head = read_record(view, 0)
    if head.kind is not RecordKind.BATCH or head.body_size:
        raise BatchError("does not begin as a batch")
    meta = _decode_batch(head.meta)
    batch = Batch(head.id, meta.origin, meta.to, {}, {})
    offset = head.end
    for _ in range(meta.count):
        record = read_record(view, offset)
        if record.kind is not RecordKind.TRANSFER or record.id in batch.messages or record.id in batch.declined:
            raise BatchError("holds something else than messages, or one of them twice")
        body = bytes(view[record.body_offset : record.end])
        if check_of((body,)) != record.body_check:
            raise BatchError("wrong checksum of a message body")
        _add(batch, record, body)
        offset = record.end
    if offset != len(view):
        raise BatchError(f"goes on after its {meta.count} messages")
    return batch


def _add(batch: Batch, record: Record, body: bytes) -> None:
    meta = _decode_transfer(record.meta)
    problem = _problem(meta, body)
    if problem is not None:
        batch.declined[record.id] = problem
        return
    message = Message(
        0,
        meta.received - steady.ahead,
        meta.sender,
        meta.recipients,
        len(body),
        meta.eight_bit,
        meta.smtputf8,
        content=(body,),
        accepted_as=meta.accepted_as,
        tenant=meta.tenant,
        campaign=meta.campaign,
        dsn=meta.dsn,
    )
    schedules = [Schedule(due=message.received) for _ in meta.recipients]
    for outcome in meta.state:
        replay_outcome(schedules, outcome)
    plan_deliveries(message, schedules)
    if message.deliveries:
        batch.messages[record.id] = message
    else:
        batch.declined[record.id] = "no recipient is open"


def _problem(meta: _TransferMeta, body: bytes) -> str | None:
    """What would make a message harm this MTA or others: what could not have come in by SMTP, or breaks the queue."""
    if not 0.0 <= meta.received <= time.time() + _CLOCKS_DIFFER:
        return "accepted at no possible time"
    try:
        if meta.sender:
            parse_mail(b"FROM:<%s>%s" % (meta.sender, b" SMTPUTF8" if meta.smtputf8 else b""))
        for recipient in meta.recipients:
            parse_rcpt(b"TO:<%s>" % recipient, smtputf8=meta.smtputf8)
    except CommandError as error:
        return f"an address that is none: {error}"
    if body.startswith(b".\r\n") or b"\r\n.\r\n" in body or (body and not body.endswith(b"\r\n")):
        return "a body that SMTP can't carry as it is"
    count = len(meta.recipients)
    if not (meta.tenant.isprintable() and meta.campaign.isprintable()):
        return "a tenant or a campaign with a name that none has"
    if meta.dsn is not None and (problem := dsn_problem(meta.dsn, count)) is not None:
        return problem
    for outcome in meta.state:
        if any(
            not 0 <= i < count for indexes in (outcome.delivered, outcome.bounced, outcome.deferred) for i in indexes
        ):
            return "an outcome of a recipient that it doesn't have"
        if not math.isfinite(outcome.due) or not 0 <= outcome.attempts < 1 << 31:
            return "a schedule that can't be kept"
        if len(outcome.reply) > MAX_REPLY:
            return "a reply longer than any that is kept"
    return None
