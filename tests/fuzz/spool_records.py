"""What may lie in a spool's segment: any octets, and records whose checksums hold whatever they say.

Always: every octet is of a record or reported as damaged, once; reading it ends with messages that can be queued, and
a spool starts on it.
"""

import asyncio
import math
import shutil
import tempfile
from pathlib import Path

import msgspec
from postroad.queue.wheel import TimerWheel
from postroad.spool.head import read_head
from postroad.spool.log import Spool
from postroad.spool.record import RecordKind, check_of, encode_record
from postroad.spool.recovery import found_segments, read_spool
from postroad.spool.scan import Damage, scan
from postroad.spool.segment import segment_path

_SHM = Path("/dev/shm")
_LOOP = asyncio.new_event_loop()


def check(data: bytes) -> None:
    segment = _segment(data)
    _check_scan(segment)
    folder = Path(tempfile.mkdtemp(prefix="postroad-fuzz-", dir=_SHM if _SHM.is_dir() else None))
    try:
        segment_path(folder, 1).write_bytes(segment)
        _check_recovery(folder)
        _LOOP.run_until_complete(_check_start(folder))
    finally:
        shutil.rmtree(folder)


def _segment(data: bytes) -> bytes:
    """Octets as they are, or, where they begin with one that says so, records made of them."""
    if data[:1] != b"\x01":
        return data
    pieces = []
    for part in data[1:].split(b"\xfe\xff"):
        kind = part[0] % 12 if part else 0
        id, meta_size = (part[1] if len(part) > 1 else 0), (part[2] if len(part) > 2 else 0)
        meta, body = part[3 : 3 + meta_size], part[3 + meta_size :]
        if kind not in list(RecordKind):
            pieces.append(part)
            continue
        raw = msgspec.Raw(meta) if meta else None
        pieces.append(encode_record(RecordKind(kind), id, raw, len(body), check_of((body,))) + body)  # type: ignore[arg-type]
    return b"".join(pieces)


def _check_scan(segment: bytes) -> None:
    at = 0
    for found in scan(segment, 1, check_bodies=True):
        assert found.offset == at
        at = found.offset + found.size if isinstance(found, Damage) else found.end
    assert at == len(segment)


def _check_recovery(folder: Path) -> None:
    recovered = read_spool(folder)
    read_head(found_segments(folder))
    wheel = TimerWheel()
    for id, message in recovered.messages.items():
        assert message.id == id
        assert message.deliveries
        for delivery in message.deliveries:
            assert all(0 <= index < len(message.recipients) for index in delivery.recipients)
            assert math.isfinite(delivery.due)
            wheel.push(delivery)


async def _check_start(folder: Path) -> None:
    spool = Spool(folder, fatal=_fatal)
    spool.take_recovered()
    await spool.close()


def _fatal(error: OSError) -> None:
    raise AssertionError(error)
