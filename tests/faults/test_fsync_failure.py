"""A failed fsync ends the process: no 250 for what may not be on disk, no second try."""

import smtplib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from daemons import MtaDaemon, ScriptedHost


def test_a_failed_fsync_ends_the_process_without_a_250(
    tmp_path: Path,
    new_mta: Callable[..., MtaDaemon],
    new_host: Callable[..., ScriptedHost],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch = tmp_path / "fails"
    monkeypatch.setenv("FSYNC_FAILS", str(switch))
    host = new_host(banner="421 not now")
    program = str(Path(__file__).parent / "fsync_fails.py")
    mta = new_mta(smart_host=host.port, command=[sys.executable, program])
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "X-Id: before\n\nx\n")
        switch.touch()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@x.test", ["b@y.test"], "X-Id: after\n\nx\n")
    assert mta.wait() == 74
    assert mta.events("spool_failed")
    switch.unlink()
    mta.start()
    assert mta.queue()["messages"] >= 1
