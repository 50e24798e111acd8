"""The spool: an append-only log of messages and outcomes with group commit."""

import asyncio
import errno
import os
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from postroad.clock import steady
from postroad.spool.committer import Committer, SyncJob
from postroad.spool.compaction import Compactor
from postroad.spool.entries import finished_record, lay_out, outcome_record
from postroad.spool.errors import SpoolError, SpoolFullError, UnreadableError
from postroad.spool.head import read_head
from postroad.spool.lock import SpoolLock
from postroad.spool.message import Delivery, Message, Outcome
from postroad.spool.reading import Reading
from postroad.spool.record import SegmentMeta
from postroad.spool.recovery import Recovered, Replay, found_segments
from postroad.spool.reserve import Reserve
from postroad.spool.room import Room
from postroad.spool.segment import read_at, sync_segments
from postroad.spool.segments import SegmentTable
from postroad.spool.writer import SegmentWriter

SEGMENT_SIZE = 64 << 20
_OUTCOME_SYNC_DELAY = 0.05
_RETRY_FULL = 1.0
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


Done = Callable[[SpoolError | None], None]


class Spool:
    """Messages on disk. `append` calls back once the message would survive power loss, and not before.

    Writes go to the page cache at the end of each turn of the event loop, so that an outcome survives a crash of the
    process at once; the sync that makes them survive power loss runs in a thread and serves all that wait.

    New messages can be stored as soon as it is constructed. What the log held before is read by `recover`, beside that;
    until then nothing of the log is removed.

    Args:
        folder: where it lies; made if it is missing.
        fatal: called, possibly in a thread, when a write or sync failed in a way that leaves the disk's state
            unknown. It must end the process.
        segment_size: octets after which a new segment begins.
        min_free: octets of the file system that messages may not use, so that outcomes still find room.
        min_free_inodes: inodes that they may not use.

    Raises:
        SpoolInUseError: another process owns the folder.
        OSError: the folder can't be made, read or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fatal: Callable[[OSError], None],
        segment_size: int = SEGMENT_SIZE,
        min_free: int = 0,
        min_free_inodes: int = 0,
    ) -> None:
        self.folder = folder
        self._fatal = fatal
        self._segment_size = segment_size
        self._loop = asyncio.get_running_loop()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = SpoolLock(folder)
        self._room = Room(folder, min_free, self._loop.time, min_free_inodes=min_free_inodes)
        segments = found_segments(folder)
        head = read_head(segments)
        sync_segments(segments)
        self.standing = head.standing
        self.messages: dict[int, Message] = {}
        """All that lie here and are not finished, by id."""
        self._segments = SegmentTable(list(segments), self.messages)
        # Wall clock in the high bits: ids stay unique even if the spool was emptied in between.
        self._next_id = max(head.highest_id + 1, int(time.time() * 1000) << 20)
        self._settled = self._segments.last_number + 1
        replay = Replay(segments, check_from=head.settled)
        self._reading = Reading(folder, replay, self._segments, self.messages, self._reclaim)
        self.recovered: Recovered = replay.recovered
        self._compactor = Compactor(self._segments, self._copy, segment_size=segment_size)
        self._writer: SegmentWriter | None = None
        self._last_number = self._segments.last_number
        self._appends: list[tuple[Message, Done]] = []
        self._outcomes: list[bytes] = []
        self._notes: list[Done] = []
        self._copies: list[tuple[Message, Sequence[bytes]]] = []
        self._waiting: list[Done] = []
        self._in_sync: list[Done] = []
        self._retired: list[int] = []
        self._remove: list[Path] = []
        self._folder_changed = False
        self._syncing_up_to = 0
        self._flush_scheduled = self._syncing = self._dirty = False
        self._sync_timer: asyncio.TimerHandle | None = None
        self.commits = 0
        self._committer = Committer(self._loop, self._synced, fatal)
        self._reserve = Reserve(folder)
        self._reserve.hold()
        try:
            self._new_segment()
        except OSError as error:
            # A full disk: what is here is delivered all the same, which makes room.
            if error.errno not in _NO_SPACE:
                raise
        if not segments:
            self.take_recovered()

    async def recover(self) -> list[Message]:
        """Read what the log held at the start, while others have their turn; its messages, given once."""
        return await self._reading.finish()

    def take_recovered(self) -> list[Message]:
        """The same at once."""
        return self._reading.finish_at_once()

    @property
    def recovering(self) -> bool:
        """Whether not all is known yet of what the log held at the start."""
        return self._reading.going_on

    def next_id(self) -> int:
        """A new message's id; ids grow."""
        self._next_id += 1
        return self._next_id

    @property
    def octets(self) -> int:
        """Size of all segments."""
        return self._segments.octets

    @property
    def live_octets(self) -> int:
        """Size of the messages that are not finished."""
        return self._segments.live_octets

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self._segments)

    @property
    def synced(self) -> bool:
        """Whether all that was recorded would survive power loss."""
        pending = self._flush_scheduled or self._syncing or self._waiting or self._dirty
        return not (pending or self._appends or self._outcomes or self._copies or self.recovering)

    def has_room(self) -> bool:
        """Whether the file system still has `min_free`; looked up once a second."""
        return self._room.enough()

    def append(self, message: Message, done: Done) -> None:
        """Store a message with its `content`; `done(None)` when it is durable, `done(error)` if it isn't stored."""
        if not self.has_room():
            if not self._appends:
                self._make_room()
            self._loop.call_soon(done, SpoolFullError(self._room.shortage))
            return
        self._appends.append((message, done))
        self._schedule_flush()

    def record_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        """Note what became of all recipients of a delivery (RFC 5321 6.1: from here on it is known).

        A deferred delivery goes on at its `attempts`, `due` and `reply`; another is over, and with the last one
        its message is finished.
        """
        message = delivery.message
        if outcome is not Outcome.DEFERRED:
            message.close(delivery)
        self._outcomes.append(outcome_record(delivery, outcome))
        if not message.deliveries:
            self._forget(message)
        self._schedule_flush()

    def finish(self, message: Message) -> None:
        """Note that nothing of a message is open here any more, whatever became of it."""
        message.deliveries = ()
        self._outcomes.append(finished_record(message))
        self._forget(message)
        self._schedule_flush()

    def _forget(self, message: Message) -> None:
        if self.messages.pop(message.id, None) is not None:
            self._segments.forget(message)

    def note(self, record: bytes, done: Done | None = None) -> None:
        """Write a record behind the outcomes so far; `done(None)` when it is durable, however long the disk is full."""
        self._outcomes.append(record)
        if done is not None:
            self._notes.append(done)
        self._schedule_flush()

    async def noted(self, record: bytes) -> None:
        """Write a record and wait until it is durable."""
        durable: asyncio.Future[None] = self._loop.create_future()

        def done(_: SpoolError | None) -> None:
            if not durable.done():
                durable.set_result(None)

        self.note(record, done)
        await durable

    async def read(self, message: Message) -> bytes:
        """A message's body from disk.

        Raises:
            UnreadableError: it isn't what was written.
        """
        for _ in range(3):
            location = message.location
            assert location is not None
            path = self._segments.path_of(location)
            try:
                body = await self._loop.run_in_executor(None, read_at, path, location.offset, location.size)
            except FileNotFoundError:
                continue  # compaction moved it meanwhile
            if zlib.crc32(body) != location.check:
                raise UnreadableError(f"message {message.queue_id} at {path}:{location.offset} fails its checksum")
            return body
        raise UnreadableError(f"message {message.queue_id} is not where it should be")

    async def rewrite(self, message: Message) -> None:
        """Write a message anew, with the envelope that it has now.

        Raises:
            UnreadableError: its body isn't what was written.
        """
        body = await self.read(message)
        if message.deliveries:
            self._copy(message, body)

    async def close(self) -> None:
        """Write and sync what is left, and let others have the spool."""
        self._reading.give_up()
        self._flush()
        while self._syncing or self._waiting or self._dirty:
            self._start_sync()
            await asyncio.sleep(0.002)
        self._committer.stop()
        if self._writer is not None:
            os.close(self._writer.fd)
        self._lock.release()

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        appends, self._appends = self._appends, []
        copies, self._copies = self._copies, []
        outcomes, self._outcomes = self._outcomes, []
        notes, self._notes = self._notes, []
        if not (appends or copies or outcomes):
            return
        try:
            self._write_batch(appends, copies, outcomes)
        except OSError as error:
            self._check_full(error)
            self._write_when_full(appends, copies, outcomes, notes)
            return
        self._waiting.extend(done for _, done in appends)
        self._waiting.extend(notes)
        self._dirty = True
        if self._waiting or copies:
            self._start_sync()
        else:
            self._sync_soon()

    def _check_full(self, error: OSError) -> None:
        """A full disk is an ordinary thing; any other failure of a write isn't survived."""
        if error.errno not in _NO_SPACE:
            self._fatal(error)
            raise error

    def _write_when_full(
        self,
        appends: list[tuple[Message, Done]],
        copies: list[tuple[Message, Sequence[bytes]]],
        outcomes: list[bytes],
        notes: list[Done],
    ) -> None:
        """The disk is full: no message is taken; outcomes go into the reserve, or wait until there is room."""
        self._room.is_full()
        error = SpoolFullError(f"no space left for {self.folder}")
        for _, done in appends:
            done(error)
        if outcomes:
            self._reserve.give_up()
            try:
                self._write_batch([], [], outcomes)
                self._waiting.extend(notes)
                outcomes, notes = [], []
                self._dirty = True
                self._sync_soon()
            except OSError as again:
                self._check_full(again)
        self._copies = [*copies, *self._copies]
        self._outcomes = [*outcomes, *self._outcomes]
        self._notes = [*notes, *self._notes]
        if outcomes or copies:
            self._flush_scheduled = True
            self._loop.call_later(_RETRY_FULL, self._flush)
        self._make_room()

    def _make_room(self) -> None:
        """Give back the newest segment too if nothing at all is wanted any more; outcomes needn't be kept then."""
        if self._writer is not None and not self.messages and not self.recovering and not self._notes:
            if self.standing.empty:
                self._outcomes.clear()
                self._retired.append(self._writer.fd)
                self._writer = None
            elif self._writer.segment.size > self._writer.fresh_size:
                self._reserve.give_up()
                try:
                    self._new_segment()
                except OSError as error:  # what stands is kept in this one
                    self._check_full(error)
        self._reclaim()

    def _write_batch(
        self,
        appends: list[tuple[Message, Done]],
        copies: list[tuple[Message, Sequence[bytes]]],
        outcomes: list[bytes],
    ) -> None:
        if self._writer is None or self._writer.segment.size >= self._segment_size:
            self._new_segment()
        assert self._writer is not None
        contents = [*copies, *((message, message.content or ()) for message, _ in appends)]
        pieces, placed = lay_out(contents, self._writer.segment)
        pieces.extend(outcomes)
        self._writer.append(pieces)
        self._segments.count(self._writer.segment, len(placed) + len(outcomes))
        for message, location in placed:
            self._segments.place(message, location)
            self.messages[message.id] = message
            if message.origin is not None:
                self.standing.took(message.origin)
                message.origin = None

    def _new_segment(self) -> None:
        number = self._last_number + 1
        standing = self.standing.records(steady())
        writer = SegmentWriter(self.folder, number, SegmentMeta(self._next_id, len(standing), self._settled), standing)
        self._last_number = number
        if self._writer is not None:
            self._retired.append(self._writer.fd)
        self._writer = writer
        self._folder_changed = self._dirty = True
        self._segments.add(writer.segment)

    def _start_sync(self) -> None:
        if self._syncing:
            return
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None
        self._syncing = True
        self._dirty = False
        self._in_sync, self._waiting = self._waiting, []
        retired, self._retired = self._retired, []
        remove, self._remove = self._remove, []
        folder = self.folder if self._folder_changed or remove else None
        self._folder_changed = False
        current = [self._writer.fd] if self._writer is not None else []
        self._syncing_up_to = self._last_number
        self._committer.submit(SyncJob([*retired, *current], retired, folder, remove))

    def _synced(self) -> None:
        self._syncing = False
        self._settled = self._syncing_up_to
        self.commits += 1
        done, self._in_sync = self._in_sync, []
        for callback in done:
            callback(None)
        if self._waiting:
            self._start_sync()
        elif self._dirty:
            self._sync_soon()
        if not self._reserve.held and self.has_room():
            self._reserve.hold()
        self._reclaim()

    def _sync_soon(self) -> None:
        """Nobody waits for this sync: give others the chance to share it."""
        if self._sync_timer is None and not self._syncing:
            self._sync_timer = self._loop.call_later(_OUTCOME_SYNC_DELAY, self._start_sync)

    def _reclaim(self) -> None:
        """Remove the oldest segments as far as nothing in them is wanted; else see whether to compact."""
        if not (self._compactor.busy or self.recovering):
            removed = self._segments.take_unwanted(self._writer.segment if self._writer is not None else None)
            # Removed with the next sync, behind it: what moved out of them is durable by then.
            self._remove += removed
            self._dirty = self._dirty or bool(removed)
        if self._dirty:
            self._sync_soon()
        if not (self.recovering or self._copies):
            self._compactor.look(len(self.messages))

    def _copy(self, message: Message, body: bytes) -> None:
        """Write a message once more, as it is now."""
        self._copies.append((message, (body,)))
        self._schedule_flush()
