"""A crash in the middle of a write: the torn record is kept aside, everything before it is there."""

import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from daemons import MtaDaemon, ScriptedHost


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_torn_tail_loses_only_the_torn_record(
    tmp_path: Path, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], cut: int
) -> None:
    mta = new_mta(smart_host=new_host(banner="421 not now").port)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(3):
            client.sendmail("a@x.test", ["b@y.test"], f"X-Id: {number}\n\n{'x' * 500}\n")
    mta.kill()
    newest = max((tmp_path / "spool").glob("*.log"))
    messages = mta_records(newest)
    with newest.open("r+b") as log:
        log.truncate(messages[-1] + cut)
    mta.start()
    assert mta.queue()["messages"] == 2
    (damage,) = mta.events("spool_damage")
    assert f"{cut} octets" in damage["where"]
    (kept,) = (tmp_path / "spool" / "damaged").iterdir()
    assert kept.stat().st_size == cut


def mta_records(log: Path) -> list[int]:
    """Where the message records of a segment begin."""
    from postroad.spool.record import Record, RecordKind
    from postroad.spool.scan import scan

    found = scan(log.read_bytes(), 1, check_bodies=True)
    return [item.offset for item in found if isinstance(item, Record) and item.kind is RecordKind.MESSAGE]
