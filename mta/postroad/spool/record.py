"""Records: what a segment is made of, as octets.

A record is a header of 36 octets, its meta (msgpack), its body. One checksum covers header and meta, another the body,
so that recovery can walk a log without reading the messages in it.
"""

import struct
import zlib
from collections.abc import Sequence
from enum import IntEnum
from mmap import mmap

import msgspec

from postroad.smtp.envelope import DsnRequest

MAGIC = b"PRs1"
_HEADER = struct.Struct("<4sBBHQIIII")
_CHECK = struct.Struct("<I")
_HEAD = struct.Struct("<4sBBHQIIIII")
HEADER_SIZE = _HEADER.size + _CHECK.size
VERSION = 1
MAX_META = 16 << 20
MAX_BODY = 1 << 30


class RecordKind(IntEnum):
    """What a record says."""

    SEGMENT = 1
    """The first record of each segment; its id is the segment's number, meta is `SegmentMeta`."""
    MESSAGE = 2
    """A message was accepted; meta is `MessageMeta`, the body the message."""
    OUTCOME = 3
    """Recipients of a message got their answer; meta is `OutcomeMeta`."""
    FINISHED = 4
    """All recipients of a message that were still open are done; no meta."""
    OFFERED = 5
    """A batch of messages is about to be offered to another spool; its id is the batch's number."""
    SETTLED = 6
    """It is known what became of a batch, and which of its messages were taken (releases before say none)."""
    RECEIVED = 7
    """What was taken of another spool's last batch, whose number is the id."""
    DRAIN = 8
    """The spool is to be moved away, or no longer."""
    BATCH = 9
    """Begins a batch on its way between two spools; never in a log."""
    TRANSFER = 10
    """A message on its way between two spools, with its body; never in a log."""
    ORDERS = 11
    """Which mail is suspended or to be bounced; takes the place of all such records before."""


class SegmentMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a segment says of all before it. Segments of older releases have none of it."""

    highest_id: int
    """No id given out before this segment began is higher."""
    standing: int
    """Octets of records that follow and say all that stands."""
    settled: int
    """Segments with a lower number were whole on disk when this one began: no crash can have torn them."""


class OutcomeMeta(msgspec.Struct, array_like=True, gc=False):
    """What became of recipients, named by their index in the message."""

    delivered: tuple[int, ...] = ()
    bounced: tuple[int, ...] = ()
    deferred: tuple[int, ...] = ()
    attempts: int = 0
    """Attempts made for the deferred ones."""
    due: float = 0.0
    """Unix time of their next attempt."""
    reply: str = ""
    """Why they were deferred."""


class Origin(msgspec.Struct, array_like=True, frozen=True):
    """Where a message came from: the spool, its batch, and the message's id there."""

    spool: bytes
    batch: int
    id: int
    taken: float
    """Unix time."""


class MessageMeta(msgspec.Struct, array_like=True, gc=False):
    """What the spool keeps of a message besides its body. New fields go to the end, with a default."""

    received: float
    """Unix time of acceptance."""
    sender: bytes
    recipients: tuple[bytes, ...]
    eight_bit: bool = False
    smtputf8: bool = False
    accepted_as: int = 0
    """Its id where it was accepted, if that was in another spool."""
    origin: Origin | None = None
    """Which spool it came from; only in the first record of a message, not in copies."""
    state: tuple[OutcomeMeta, ...] = ()
    """What became of its recipients before it came here; part of the same record, so that none is tried again."""
    tenant: str = ""
    campaign: str = ""
    dsn: DsnRequest | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as found in a segment; offsets are those of the segment."""

    kind: RecordKind
    id: int
    meta: bytes
    offset: int
    """Where the record begins."""
    body_offset: int
    """Where its body begins."""
    body_size: int
    body_check: int
    end: int
    """Where the next record begins."""


class RecordError(ValueError):
    """The octets are no whole record."""


_encode = msgspec.msgpack.Encoder().encode
decode_message_meta = msgspec.msgpack.Decoder(MessageMeta).decode
decode_segment_meta = msgspec.msgpack.Decoder(SegmentMeta).decode
decode_outcome_meta = msgspec.msgpack.Decoder(OutcomeMeta).decode


def check_of(body: Sequence[bytes]) -> int:
    """The checksum of a body in pieces."""
    check = 0
    for piece in body:
        check = zlib.crc32(piece, check)
    return check


def encode_record(
    kind: RecordKind, id: int, meta: msgspec.Struct | None = None, body_size: int = 0, body_check: int = 0
) -> bytes:
    """Header and meta of a record; the body follows it in the segment."""
    encoded = b"" if meta is None else _encode(meta)
    header = _HEADER.pack(MAGIC, kind, VERSION, 0, id, len(encoded), body_size, body_check, 0)
    return b"".join((header, _CHECK.pack(zlib.crc32(encoded, zlib.crc32(header))), encoded))


def read_record(data: bytes | memoryview | mmap, offset: int) -> Record:
    """The record at `offset`, its body not looked at beyond that it is there.

    Raises:
        RecordError: there is none, or only a part of one.
    """
    if len(data) - offset < HEADER_SIZE:
        raise RecordError("torn header")
    magic, kind, version, _, id, meta_size, body_size, body_check, _, check = _HEAD.unpack_from(data, offset)
    if magic != MAGIC or meta_size > MAX_META or body_size > MAX_BODY:
        raise RecordError("no record")
    meta_begin = offset + HEADER_SIZE
    meta_end = meta_begin + meta_size
    if meta_end > len(data):
        raise RecordError("torn meta")
    meta = bytes(data[meta_begin:meta_end])
    if zlib.crc32(meta, zlib.crc32(data[offset : offset + _HEADER.size])) != check:
        raise RecordError("wrong checksum")
    known = _KINDS.get(kind)
    if version != VERSION or known is None:
        raise RecordError(f"record of version {version}, kind {kind}: written by a newer release?")
    end = meta_end + body_size
    if end > len(data):
        raise RecordError("torn body")
    return Record(known, id, meta, offset, meta_end, body_size, body_check, end)


_KINDS = {int(kind): kind for kind in RecordKind}
