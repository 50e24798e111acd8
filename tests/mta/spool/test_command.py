"""`postroad spool` on folders of every kind."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postroad.cli import app
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome, group_recipients
from postroad.spool.segment import segment_path
from typer.testing import CliRunner, Result

BODY = b"Subject: one\r\n\r\n..two\r\n"


def no_fatal(error: OSError) -> None:
    raise AssertionError(error)


async def fill(folder: Path, *, segment_size: int = 1 << 20) -> list[Message]:
    """Three messages, of which the second was tried once and has a recipient left."""
    spool = Spool(folder, fatal=no_fatal, segment_size=segment_size)
    await spool.recover()
    messages = []
    for number, tenant in enumerate(("acme", "acme", "")):
        recipients = (b"b%d@y.test" % number, b"c@z.test")
        made = Message(spool.next_id(), 100.0, b"a@x.test", recipients, len(BODY), content=(BODY,), tenant=tenant)
        made.deliveries = [Delivery(made, domain, which, due=100.0) for domain, which in group_recipients(recipients)]
        stored: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        spool.append(made, stored.set_result)
        assert await stored is None
        messages.append(made)
    at_y, at_z = messages[1].deliveries
    spool.record_outcome(at_y, Outcome.DELIVERED)
    at_z.attempts, at_z.due, at_z.reply = 3, 1e10, "450 later"
    spool.record_outcome(at_z, Outcome.DEFERRED)
    await spool.close()
    return messages


def run(*words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(app, ["spool", *words])
    assert result.exit_code == status, result.output
    return result


def listed(*words: str) -> list[dict[str, Any]]:
    return list(json.loads(run("inspect", *words, "--json").stdout)["messages"])


async def test_inspect_shows_envelope_and_schedule(tmp_path: Path) -> None:
    _, second, _ = await fill(tmp_path)
    found = listed(str(tmp_path))
    assert [item["tenant"] for item in found] == ["acme", "acme", ""]
    assert found[1]["id"] == second.queue_id
    assert found[1]["open"] == [
        {"domain": "z.test", "recipients": ["c@z.test"], "attempts": 3, "due": 1e10, "reply": "450 later"}
    ]
    table = run("inspect", str(tmp_path)).stdout
    assert table.count("acme") == 3


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--tenant", "acme"), 2),
        (("--tenant", ""), 1),
        (("--domain", "Y.test"), 2),
        (("--domain", "test"), 0),
        (("--limit", "2"), 2),
    ],
)
async def test_inspect_is_narrowed(tmp_path: Path, words: tuple[str, ...], count: int) -> None:
    await fill(tmp_path)
    assert len(listed(str(tmp_path), *words)) == count


async def test_inspect_prints_a_message_as_it_was_written(tmp_path: Path) -> None:
    first, *_ = await fill(tmp_path)
    assert run("inspect", str(tmp_path), first.queue_id, "--content").stdout_bytes == b"Subject: one\r\n\r\n.two\r\n"
    assert "no message beef" in run("inspect", str(tmp_path), "beef", status=1).stderr
    run("inspect", str(tmp_path), "--content", status=2)


def cut_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def overwrite_meta(path: Path) -> None:
    octets = path.read_bytes()
    at = octets.index(b"b0@y.test")
    path.write_bytes(octets[:at] + b"XX" + octets[at + 2 :])


def add_garbage(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"PRs1 garbage" * 10)


def make_unreadable(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.mkdir()
    (path / "thing").write_text("kept")


@pytest.mark.parametrize(
    ("damage", "left"), [(cut_tail, 3), (overwrite_meta, 2), (add_garbage, 3), (make_unreadable, 0)]
)
async def test_a_repaired_spool_is_whole_and_has_all_that_could_be_read(
    tmp_path: Path, damage: Callable[[Path], None], left: int
) -> None:
    await fill(tmp_path)
    path = segment_path(tmp_path, 1)
    damage(path)
    before = path.read_bytes() if path.is_file() else b""
    result = run("repair", str(tmp_path))
    assert "1 repaired" in result.stdout
    if left:
        verified = json.loads(run("verify", str(tmp_path), "--json").stdout)
        assert (verified["messages"], verified["damage"]) == (left, [])
        kept = b"".join(item.read_bytes() for item in (tmp_path / "damaged").iterdir())
        assert kept
        assert kept in before
    else:
        assert (tmp_path / "damaged" / path.name / "thing").read_text() == "kept"
    assert "nothing to repair" in run("repair", str(tmp_path)).stdout
    spool = Spool(tmp_path, fatal=no_fatal)
    assert len(await spool.recover()) == left
    await spool.close()


async def test_a_message_with_a_damaged_body_stays_so_that_its_sender_is_told(tmp_path: Path) -> None:
    await fill(tmp_path)
    # A start of the MTA makes it certain that no crash has torn what was there before.
    spool = Spool(tmp_path, fatal=no_fatal)
    await spool.recover()
    await spool.close()
    path = segment_path(tmp_path, 1)
    path.write_bytes(path.read_bytes().replace(b"two", b"TWO", 1))
    result = run("repair", str(tmp_path))
    assert "has a damaged body" in result.stdout
    first, *_ = listed(str(tmp_path))
    assert "fails its checksum" in run("inspect", str(tmp_path), first["id"], "--content", status=1).stderr
    spool = Spool(tmp_path, fatal=no_fatal)
    assert len(await spool.recover()) == 3
    await spool.close()


async def test_repair_makes_room_for_a_new_identity(tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "identity").write_text("nobody")
    assert "identity is none" in run("repair", str(tmp_path)).stdout
    assert (tmp_path / "damaged" / "identity").read_text() == "nobody"


@pytest.mark.parametrize("verb", ["verify", "inspect", "repair"])
def test_a_folder_without_a_spool_is_named(tmp_path: Path, verb: str) -> None:
    result = CliRunner().invoke(app, ["spool", verb, str(tmp_path)])
    assert isinstance(result.exception, FileNotFoundError)
    assert f"{tmp_path} holds no spool" in str(result.exception)
