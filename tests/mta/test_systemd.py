"""What systemd passes and is told: sockets by name, READY, STOPPING, WATCHDOG."""

import os
import smtplib
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from daemons import MtaDaemon, Sink, wait_until

# Passes a listening socket as systemd does: descriptor 3, with the pid of the process that is executed.
LAUNCHER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(os.environ["TEST_PORT"])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="submission")
os.execv(sys.executable, [sys.executable, "-m", "postroad.mta_command", *sys.argv[1:]])
"""


def test_the_socket_of_systemd_is_used_and_systemd_is_told(
    tmp_path: Path, sink: Sink, new_mta: Callable[..., MtaDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    mta = MtaDaemon(tmp_path, smart_host=sink.port, command=[sys.executable, "-c", LAUNCHER])
    monkeypatch.setenv("TEST_PORT", str(mta.port))
    mta.config.write_text(mta.config.read_text().replace(f'"127.0.0.1:{mta.port}"', '"systemd:submission"'))
    mta.start()
    try:
        # It beats while the spool is read, too.
        assert told.recv(100) == b"WATCHDOG=1"
        while (said := told.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"READY=1"
        assert told.recv(100) == b"WATCHDOG=1"
        assert told.recv(100) == b"WATCHDOG=1"
        with smtplib.SMTP("127.0.0.1", mta.port) as client:
            client.sendmail("a@x.test", ["b@y.test"], "X-Id: 1\n\nx\n")
        wait_until(lambda: sink.ids)
        mta.terminate()
        while (said := told.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"
        assert mta.wait() == 0
    finally:
        mta.stop()
        told.close()


def test_a_socket_that_systemd_did_not_pass_is_told_in_one_line(tmp_path: Path) -> None:
    mta = MtaDaemon(tmp_path, smart_host=1)
    mta.config.write_text(mta.config.read_text().replace(f'"127.0.0.1:{mta.port}"', '"systemd:submission"'))
    with pytest.raises(AssertionError, match="systemd passed no socket named 'submission'"):
        mta.start()
    assert mta.wait() == 1
    assert "LISTEN_FDS" not in os.environ
