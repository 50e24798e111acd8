"""The end of the log: the segment that is written to."""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from postroad.spool.record import RecordKind, SegmentMeta, encode_record
from postroad.spool.segment import Segment, segment_path

_IOV_MAX = 1024


class SegmentWriter:
    """Appends to the newest segment.

    Args:
        meta: what it says of the segments before it.
        standing: records that follow this.

    Raises:
        OSError: the segment can't be made or written; nothing of it stays then.
    """

    def __init__(self, folder: Path, number: int, meta: SegmentMeta, standing: bytes) -> None:
        path = segment_path(folder, number)
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.segment = Segment(number, path)
        try:
            self.append([encode_record(RecordKind.SEGMENT, number, meta), standing])
        except OSError:
            os.close(self.fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self.fresh_size = self.segment.size
        """Octets of the segment before anything was appended."""

    def append(self, pieces: Sequence[bytes]) -> None:
        """Write all pieces to the page cache, or nothing."""
        start = self.segment.size
        written = 0
        try:
            for first in range(0, len(pieces), _IOV_MAX):
                part = pieces[first : first + _IOV_MAX]
                want = sum(map(len, part))
                got = os.writev(self.fd, part)
                if got < want:
                    self._write_rest(b"".join(part), got)
                written += want
        except OSError:
            # Half a batch is on disk: take it back, so that the next record follows a whole one.
            os.ftruncate(self.fd, start)
            raise
        self.segment.size = start + written

    def _write_rest(self, octets: bytes, done: int) -> None:
        rest = memoryview(octets)[done:]
        while rest:
            got = os.write(self.fd, rest)
            if got == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[got:]
