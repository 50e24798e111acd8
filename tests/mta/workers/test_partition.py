"""Which worker has which folder."""

from pathlib import Path

import pytest
from postroad.spool.segment import segment_path
from postroad.workers.partition import left_over, partition


def test_the_first_worker_has_the_spool_of_a_single_process() -> None:
    assert partition(Path("/spool"), 1) == Path("/spool")
    assert partition(Path("/spool"), 12) == Path("/spool/worker-12")
    with pytest.raises(ValueError, match="counted from 1"):
        partition(Path("/spool"), 0)


def test_partitions_of_workers_that_are_no_more_are_found(tmp_path: Path) -> None:
    for number in (2, 3, 10):
        folder = partition(tmp_path, number)
        folder.mkdir()
        segment_path(folder, 1).touch()
    (tmp_path / "worker-4").mkdir()  # without mail
    (tmp_path / "worker-05").mkdir()
    (tmp_path / "worker-x").touch()
    assert left_over(tmp_path, 2) == [3, 10]
    assert left_over(tmp_path, 16) == []
    assert left_over(tmp_path / "missing", 1) == []
