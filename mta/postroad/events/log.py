"""JSON log lines on standard output, one for each thing that happens."""

import asyncio
import atexit
import os
import threading
import time
from collections import deque
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(enc_hook=str).encode


class EventLog:
    """Writes events as lines of JSON with `event`, `level` and `timestamp` (UTC).

    Informative lines go out together at the end of a turn of the event loop, as what the spool writes does; others,
    and those of threads, at once. A line that can't be written (the disk with the log is full) is lost, not the mail
    that it is about: before the next one that can be written stands how many are missing.

    Args:
        fd: where lines go; written to from any thread.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._scheduled: asyncio.AbstractEventLoop | None = None
        self.lost = 0
        """Lines that couldn't be written since the last that was."""
        self.always: dict[str, Any] = {}
        """Facts that every line has from now on."""
        self._second = ""
        self._prefix = ""

    def info(self, event: str, /, **facts: Any) -> None:
        """Something ordinary happened."""
        self._lines.append(self._line("info", event, facts))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._scheduled is not loop:
            self._scheduled = loop
            loop.call_soon(self._turn_ends)

    def warning(self, event: str, /, **facts: Any) -> None:
        """Something that an operator should look into."""
        self._now("warning", event, facts)

    def error(self, event: str, /, **facts: Any) -> None:
        """Something failed."""
        self._now("error", event, facts)

    def critical(self, event: str, /, **facts: Any) -> None:
        """The process can't go on."""
        self._now("critical", event, facts)

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if not lines:
                return
            if self.lost:
                # What was torn ends here, so that this line is whole.
                lines.insert(0, b"\n" + self._line("warning", "log_lines_lost", {"lines": self.lost}))
            try:
                self._write(b"".join(lines))
            except OSError:
                self.lost += len(lines) - (1 if self.lost else 0)
            else:
                self.lost = 0

    def _now(self, level: str, event: str, facts: dict[str, Any]) -> None:
        self._lines.append(self._line(level, event, facts))
        self.flush()

    def _turn_ends(self) -> None:
        self._scheduled = None
        self.flush()

    def _write(self, octets: bytes) -> None:
        done = os.write(self._fd, octets)
        while done < len(octets):
            done += os.write(self._fd, octets[done:])

    def _line(self, level: str, event: str, facts: dict[str, Any]) -> bytes:
        micros = str(int(time.time() * 1e6))
        second = micros[:-6]
        if second != self._second:
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(second)))
            self._second = second
        facts |= self.always
        facts["event"] = event
        facts["level"] = level
        facts["timestamp"] = self._prefix + micros[-6:] + "Z"
        return _encode(facts) + b"\n"


_log = EventLog(1)
atexit.register(_log.flush)


def logger() -> EventLog:
    """The process's log: `logger().info("delivery", queue_id=…)`."""
    return _log
