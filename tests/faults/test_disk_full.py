"""A full disk: 452, nothing lost, and mail flows again once there is room."""

import contextlib
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemons import MtaDaemon, ScriptedHost, wait_until

pytestmark = pytest.mark.root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("killed", [True, False])
def test_a_full_disk_answers_452_and_loses_nothing(
    small_disk: Path, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], killed: bool
) -> None:
    host = new_host(banner=["421 not yet"])
    mta = new_mta(smart_host=host.port, spool=str(small_disk / "spool"))
    accepted = 0
    refusal = (0, b"")
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        with contextlib.suppress(smtplib.SMTPDataError):
            for accepted in range(1000):
                client.sendmail("a@x.test", ["b@y.test"], f"X-Id: {accepted}\n\n{'x' * 20000}\n")
        for text in ("a" * 20000, "b" * 20000):
            client.mail("a@x.test")
            client.rcpt("b@y.test")
            refusal = client.data(f"X-Id: none\n\n{text}\n")
            assert refusal[0] == 452
        assert client.noop()[0] == 250
    assert 20 < accepted < 60
    assert mta.queue()["messages"] == accepted
    if killed:
        mta.kill()
        mta.start()
        assert mta.queue()["messages"] == accepted
    host._answers["banner"] = "220 now"
    mta.flush()
    wait_until(lambda: len(host.messages) == accepted)
    wait_until(lambda: mta.queue()["messages"] == 0)
    if killed:
        mta.kill()
        mta.start()
        assert mta.queue()["messages"] == 0
    wait_until(lambda: accepts(mta), what="there is room again")
    wait_until(lambda: len(host.messages) == accepted + 1)


def accepts(mta: MtaDaemon) -> bool:
    with (
        contextlib.suppress(smtplib.SMTPDataError, smtplib.SMTPConnectError),
        smtplib.SMTP("127.0.0.1", mta.port) as client,
    ):
        client.sendmail("a@x.test", ["b@y.test"], f"X-Id: after\n\n{'x' * 20000}\n")
        return True
    return False


def test_too_little_free_space_refuses_mail_and_takes_readiness_away(
    small_disk: Path, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    mta = new_mta(smart_host=new_host().port, spool=str(small_disk / "spool"), min_free="600kB")
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "x\n")
        (small_disk / "other").write_bytes(b"x" * 500_000)
        wait_until(lambda: not mta.ready())
        with pytest.raises(smtplib.SMTPDataError, match="452"):
            client.sendmail("a@x.test", ["b@y.test"], "x\n")
    with pytest.raises(smtplib.SMTPConnectError, match="no room to store messages"):
        smtplib.SMTP("127.0.0.1", mta.port)
    (small_disk / "other").unlink()
    wait_until(mta.ready)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "x\n")


def test_too_few_inodes_refuse_mail(
    small_disk: Path, new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    mta = new_mta(smart_host=new_host().port, spool=str(small_disk / "spool"))
    subprocess.run(["mount", "-o", "remount,nr_inodes=150", str(small_disk)], check=True)
    assert accepts(mta)
    for number in range(100):
        (small_disk / str(number)).touch()
    wait_until(lambda: not mta.ready())
    assert not accepts(mta)
    for number in range(100):
        (small_disk / str(number)).unlink()
    wait_until(mta.ready)
    assert accepts(mta)
