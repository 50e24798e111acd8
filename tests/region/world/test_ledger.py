"""What was answered is counted for ever."""

import errno
import os
from pathlib import Path

import pytest
from postroad_region.errors import RegionError
from postroad_region.world.ledger import Ledger, Query, Verdict


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
    with file.open("ab") as torn:
        torn.write(b'{"at": 2, "prov')
    ledger = Ledger(file)
    ledger.append([accepted(3)])
    assert [each.at for each in Ledger(file).search(Query())] == [1, 3]


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"[]\n", b'{"at": 1}\n'])
def test_a_line_that_is_no_verdict_is_an_error_that_tells_where(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "ledger"
    Ledger(file).append([accepted(1)])
    with file.open("ab") as spoilt:
        spoilt.write(line)
    with pytest.raises(RegionError, match="line 2 is no verdict"):
        Ledger(file)
    assert file.read_bytes().endswith(line)


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
    (tmp_path / "ledger").write_bytes(line)
    assert Ledger(tmp_path / "ledger").counts.table([])["verdicts"] == {"accepted": 1}
