"""What was answered is counted for ever."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.errors import RegionError
from postroad_region.world.batches import Batches
from postroad_region.world.ledger import Ledger, Position
from postroad_region.world.verdict import Query, Verdict, parse


def accepted(number: int, **changes: object) -> Verdict:
    given = {"at": float(number), "provider": "gmail", "source": "198.18.113.5", "verdict": "accepted", "code": 250}
    return Verdict(**{**given, "send": f"b-1-{number}", "recipient": f"u{number}@gmail.test", **changes})  # type: ignore[arg-type]


def test_the_past_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    first = Ledger(file)
    first.append([accepted(1, spf="pass", tls=True), accepted(2, verdict="full", code=452)])
    first.append([accepted(3, source="198.18.113.6")])
    seen: list[Verdict] = []
    again = Ledger(file, replay=seen.append)
    assert again.counts.table([]) == first.counts.table([])
    assert list(again.search(Query())) == seen
    assert [each.at for each in seen] == [1, 2, 3]


def test_a_line_torn_by_a_crash_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    Ledger(file).append([accepted(1)])
    with (file / "000001.jsonl").open("ab") as torn:
        torn.write(b'{"at": 2, "prov')
    ledger = Ledger(file)
    ledger.append([accepted(3)])
    assert [each.at for each in Ledger(file).search(Query())] == [1, 3]


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"[]\n", b'{"at": 1}\n'])
def test_a_line_that_is_no_verdict_is_an_error_that_tells_where(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "ledger"
    Ledger(file).append([accepted(1)])
    with (file / "000001.jsonl").open("ab") as spoilt:
        spoilt.write(line)
    with pytest.raises(RegionError, match="line 2 is no verdict"):
        Ledger(file)
    assert (file / "000001.jsonl").read_bytes().endswith(line)


def test_what_does_not_fit_on_the_disk_is_not_counted_and_leaves_no_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append([accepted(1)])
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, octets: write(descriptor, octets[:10]))
    with pytest.raises(OSError, match="no space"):
        ledger.append([accepted(2)])
    monkeypatch.undo()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        ledger.append([accepted(2)])
    monkeypatch.undo()
    ledger.append([accepted(3)])
    assert ledger.counts.table([])["verdicts"] == {"accepted": 2}
    assert [each.at for each in ledger.search(Query())] == [1, 3]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [1, 2, 3, 4]),
        (Query(batch="b-1"), [1, 3]),
        (Query(batch="b"), []),
        (Query(campaign="spring"), [4]),
        (Query(campaign="b-1"), [1, 3]),
        (Query(verdict="full"), [2]),
        (Query(source="198.18.113.6"), [3]),
        (Query(since=3), [3, 4]),
        (Query(provider="yahoo"), []),
    ],
)
def test_a_query_finds_what_it_names(tmp_path: Path, query: Query, found: list[int]) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(
        [
            accepted(1),
            accepted(2, verdict="full", code=452, send=""),
            accepted(3, source="198.18.113.6"),
            accepted(4, send="", campaign="spring"),
        ]
    )
    assert [each.at for each in ledger.search(query)] == found


def test_counts_are_by_provider_source_and_outcome(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append([accepted(1, spf="pass", dkim="none", tls=True), accepted(2, verdict="unknown", code=550)])
    assert ledger.counts.table(["gmail", "yahoo"]) == {
        "batches": {"b-1": 1},
        "verdicts": {"accepted": 1, "unknown": 1},
        "providers": {
            "gmail": {
                "verdicts": {"accepted": 1, "unknown": 1},
                "sources": {"198.18.113.5": {"accepted": 1, "unknown": 1}},
                "checks": {"spf": {"pass": 1}, "dkim": {"none": 1}, "tls": {"yes": 1}},
            },
            "yahoo": {"verdicts": {}, "sources": {}, "checks": {}},
        },
    }


def test_a_long_ledger_is_read_in_pages(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append([accepted(number) for number in range(2500)])
    assert [len(page) for page in ledger.pages(Query())] == [1000, 1000, 500]
    assert sum(1 for _ in ledger.search(Query(batch="b-1"))) == 2500


def test_only_the_last_thousand_batches_are_counted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append([accepted(number, send=f"b{number}-1") for number in range(1001)])
    batches = ledger.counts.table([])["batches"]
    assert (len(batches), "b0" in batches, batches["b1000"]) == (1000, False, 1)


def test_cleared_means_gone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append([accepted(1)])
    ledger.clear()
    ledger.append([accepted(2)])
    assert ledger.counts.table([])["verdicts"] == {"accepted": 1}
    assert [each.at for each in Ledger(tmp_path / "ledger").search(Query())] == [2]


def test_a_field_that_a_later_version_wrote_is_no_obstacle(tmp_path: Path) -> None:
    line = b'{"at": 1.0, "provider": "g", "source": "s", "verdict": "accepted", "code": 250, "mood": "good"}\n'
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/000001.jsonl").write_bytes(line)
    assert Ledger(tmp_path / "ledger").counts.table([])["verdicts"] == {"accepted": 1}


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def filled(folder: Path, count: int, **given: Any) -> Ledger:
    ledger = Ledger(folder, segment=10_000, **given)
    for number in range(count):
        ledger.append([accepted(number)])
        ledger.rotate()
    return ledger


def test_a_full_segment_is_followed_by_another_and_all_is_found(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 300)
    assert len(files(tmp_path)) > 3
    assert [each.at for each in ledger.search(Query())] == list(range(300))
    assert ledger.complete()


def test_a_start_reads_one_segment_and_knows_all(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 300, state=lambda: {"mood": "good"})
    restored: list[Any] = []
    replayed: list[Verdict] = []
    again = Ledger(tmp_path, segment=10_000, restore=restored.append, replay=replayed.append)
    assert restored == [{"mood": "good"}]
    assert 0 < len(replayed) < 150
    assert again.counts.table([]) == ledger.counts.table([])
    assert [each.at for each in again.search(Query())] == list(range(300))


def test_the_oldest_segments_go_and_their_counts_stay(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 1000, keep=25_000)
    assert sum(file.stat().st_size for file in tmp_path.glob("*.jsonl")) < 35_000
    assert ledger.counts.table([])["verdicts"] == {"accepted": 1000}
    assert [each.at for each in ledger.search(Query())][-1] == 999
    assert not ledger.complete()
    again = Ledger(tmp_path)
    assert again.counts.table([])["verdicts"] == {"accepted": 1000}
    assert not again.complete()


def test_a_crash_between_the_state_and_its_segment_costs_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    (tmp_path / "000002.state").write_bytes(b"{}")
    ledger = Ledger(tmp_path)
    assert ledger.counts.table([])["verdicts"] == {"accepted": 20}


def test_a_state_that_is_none_is_an_error_that_tells_where(tmp_path: Path) -> None:
    filled(tmp_path, 100)
    (tmp_path / "000002.state").write_bytes(b"{}")
    with pytest.raises(RegionError, match=r"000002\.state is no state of the world"):
        Ledger(tmp_path)


def test_it_is_read_on_from_a_position(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 100)
    position = ledger.position()
    assert list(ledger.pages(Query(), after=position)) in ([], [[]])
    for number in range(100, 250):
        ledger.append([accepted(number)])
        ledger.rotate()
    pages = ledger.pages(Query(), after=Position.parse(str(position)))
    assert [each.at for page in pages for each in page] == list(range(100, 250))


def test_positions_go_on_after_a_clearing(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 100)
    before = ledger.position()
    ledger.clear()
    assert ledger.position() > before
    ledger.append([accepted(1)])
    assert [each.at for page in ledger.pages(Query(), after=before) for each in page] == [1]
    assert len(files(tmp_path)) == 1
    assert Ledger(tmp_path).counts.table([])["verdicts"] == {"accepted": 1}


def test_a_clearing_that_was_killed_is_finished_at_the_next_start(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 100)
    number = ledger.position().segment + 1
    (tmp_path / f"{number:06}.jsonl").touch()
    again = Ledger(tmp_path)
    assert again.counts.table([])["verdicts"] == {}
    assert list(again.search(Query())) == []
    assert files(tmp_path) == [f"{number:06}.jsonl"]


@given(st.integers(0, 3000))
def test_wherever_the_last_line_is_torn_all_before_it_is_there(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ledger.append([accepted(number) for number in range(20)])
        ledger.close()
        file = Path(folder) / "000001.jsonl"
        octets = file.read_bytes()[:cut]
        file.write_bytes(octets)
        again = Ledger(Path(folder))
        again.append([accepted(99)])
        whole = octets.count(b"\n")
        assert [each.at for each in again.search(Query())] == [*range(whole), 99]
        assert again.counts.table([])["verdicts"] == {"accepted": whole + 1}
        again.close()


def test_a_full_disk_at_rotation_leaves_the_segment_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path, segment=5000)
    ledger.append([accepted(number) for number in range(100)])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        ledger.rotate()
    monkeypatch.undo()
    ledger.append([accepted(100)])
    assert sum(1 for _ in ledger.search(Query())) == 101


@pytest.mark.parametrize("text", ["", "1", "a.b", "1.-2", "1.2.3"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no position"):
        Position.parse(text)


@given(st.binary(max_size=100))
def test_no_octets_break_the_reading(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(octets)


@given(st.text(max_size=50), st.text(max_size=50), st.floats(0, 1e10), st.booleans())
def test_a_line_reads_as_it_was_written(recipient: str, send: str, at: float, tls: bool) -> None:
    verdict = accepted(1, recipient=recipient, send=send, at=at, tls=tls)
    assert parse(verdict.line()) == verdict
    assert verdict.line().count(b"\n") == 1
    assert Query(batch=verdict.batch).needle() in verdict.line()


async def test_a_batch_is_read_on_from_the_last_question(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    batches = Batches(ledger)
    ledger.append([accepted(1), accepted(2)])
    assert (await batches.summary("b-1"))["distinct"] == 2
    ledger.append([accepted(2), accepted(3, verdict="full"), accepted(4)])
    summary = await batches.summary("b-1")
    assert (summary["copies"], summary["distinct"], summary["duplicates"]) == (4, 3, 1)
    assert summary["twice"] == {"b-1-2 u2@gmail.test": 2}
    assert (await batches.summary("b"))["copies"] == 0
