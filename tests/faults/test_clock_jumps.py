"""The wall clock is set while mail waits: it is tried when it would have been, expires when it has had its time, and
waits for no clock to come back.
"""

import json
import smtplib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from daemons import MtaDaemon, ScriptedHost, wait_until

DAY, HOUR = 86400, 3600
COUNT = 20
WAITING = '[retry]\nfirst_delay = "20m"\nmax_delay = "4h"\nmax_age = "6h"\n'


class WallClock:
    """The wall clock of daemons that are started from now on, and only that: a file that libfaketime looks at."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        (library,) = Path("/usr/lib").glob("*-linux-gnu/faketime/libfaketimeMT.so.1")
        self._file = file
        self.set(0)
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
        patch.setenv("FAKETIME_NO_CACHE", "1")
        patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")

    def set(self, ahead: int) -> None:
        """So many seconds ahead of the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}\n")
        fresh.rename(self._file)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(tmp_path / "faketime", monkeypatch)


def send(mta: MtaDaemon, count: int = COUNT) -> None:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(count):
            client.sendmail("a@x.test", [f"b{number}@y.test"], f"From: a@x.test\nX-Id: {number}\n\nx\n")


def waits(mta: MtaDaemon, count: int = COUNT) -> bool:
    return bool(mta.queue()["scheduled"] == count)


def next_attempts(mta: MtaDaemon) -> list[float]:
    """Seconds until each delivery is tried again."""
    ids = [event["queue_id"] for event in mta.events("reception")]
    found = [json.loads(mta.get(f"/message?id={id}")) for id in ids]
    return [item["next_attempt_in"] for message in found for item in message["deliveries"]]


def check_as_before(mta: MtaDaemon, host: ScriptedHost, connections: int, *, jump: int) -> None:
    """Nothing was tried or given up since, and the next attempts are when they were meant to be."""
    # What came due would be tried before this one, which comes in behind it.
    send(mta, 1)
    wait_until(lambda: waits(mta, COUNT + 1) and len(mta.events("deferral")) > COUNT)
    logged = datetime.fromisoformat(mta.events("reception")[-1]["timestamp"]).timestamp()
    assert logged == pytest.approx(time.time() + jump, abs=600), "the MTA's wall clock was set"
    assert len(mta.events("deferral")) == COUNT + 1, "each was tried once"
    assert not mta.events("bounce")
    assert all(15 * 60 < seconds < 23 * 60 for seconds in next_attempts(mta))
    assert host.connections <= connections + 1


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a-day-ahead", "an-hour-back"])
def test_a_clock_that_is_set_while_mail_waits_changes_nothing(
    clock: WallClock, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], jump: int
) -> None:
    host = new_host(rcpt="450 4.2.0 later")
    mta = new_mta(smart_host=host.port, more=WAITING)
    send(mta)
    wait_until(lambda: waits(mta))
    connections = host.connections
    clock.set(jump)
    check_as_before(mta, host, connections, jump=jump)


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a-day-ahead", "an-hour-back"])
@pytest.mark.parametrize("killed", [True, False])
def test_a_clock_that_is_set_between_two_starts_changes_nothing(
    clock: WallClock, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], jump: int, killed: bool
) -> None:
    host = new_host(rcpt="450 4.2.0 later")
    mta = new_mta(smart_host=host.port, more=WAITING)
    send(mta)
    wait_until(lambda: waits(mta))
    connections = host.connections
    if killed:
        mta.kill()
    else:
        mta.stop()
    clock.set(jump)
    mta.start()
    check_as_before(mta, host, connections, jump=jump)
    (told,) = mta.events("clock_set")
    assert told["ahead"] == pytest.approx(jump, abs=60)


def test_without_a_note_of_the_time_mail_from_the_future_waits_no_longer_than_any(
    clock: WallClock, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], tmp_path: Path
) -> None:
    clock.set(365 * DAY)
    host = new_host(rcpt=["450 4.2.0 later"] * COUNT + ["250 ok"])
    mta = new_mta(smart_host=host.port, more=WAITING)
    send(mta)
    wait_until(lambda: waits(mta))
    mta.kill()
    (tmp_path / "spool" / "clock").unlink()
    clock.set(0)
    mta.start()
    assert waits(mta)
    assert all(seconds <= 4.4 * HOUR for seconds in next_attempts(mta))
    mta.flush()
    wait_until(lambda: len(host.messages) == COUNT and mta.queue()["messages"] == 0)
    assert not mta.events("bounce")


def test_short_waits_go_on_while_the_clock_is_set_to_and_fro(
    clock: WallClock, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["450 4.2.0 later"] * 3 * COUNT + ["250 ok"])
    mta = new_mta(smart_host=host.port, more='[retry]\nfirst_delay = "300ms"\nmax_delay = "1s"\nmax_age = "1h"\n')
    send(mta)
    for jump in (DAY, -HOUR, 0, 30 * DAY, -30 * DAY):
        clock.set(jump)
        attempts = len(mta.events("deferral", "delivery"))
        wait_until(lambda attempts=attempts: mta.queue()["messages"] == 0 or len(mta.events("deferral")) > attempts)  # type: ignore[misc]
    wait_until(lambda: len(host.messages) == COUNT)
    assert not mta.events("bounce")
