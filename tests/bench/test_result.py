"""Results are what the rounds come to, and lie where they are looked for."""

import json
from pathlib import Path

import pytest
from postroad_bench.result import median, percentile, write


def test_a_median_keeps_its_rounds() -> None:
    case = median("up", "s", [3.0, 1.0, 2.0], hosts=9)
    assert (case.value, list(case.rounds), case.notes) == (2.0, [3.0, 1.0, 2.0], {"hosts": 9})


@pytest.mark.parametrize(
    ("rounds", "share", "value"),
    [([1.0], 0.95, 1.0), (list(range(1, 21)), 0.95, 19), (list(range(1, 101)), 0.95, 95), ([5.0, 1.0], 0.5, 1.0)],
)
def test_a_percentile_is_one_of_the_rounds(rounds: list[float], share: float, value: float) -> None:
    assert percentile("p", "s", rounds, share).value == value


def test_a_suite_s_document_is_written_and_returned_as_one_line(tmp_path: Path) -> None:
    line = write(tmp_path, "region", {"cores": 2}, [median("up", "s", [1.0])])
    assert "\n" not in line
    assert json.loads(line) == json.loads((tmp_path / "region.json").read_text())
    assert json.loads(line)["cases"][0]["name"] == "up"


def test_some_cases_are_written_beside_those_of_before(tmp_path: Path) -> None:
    write(
        tmp_path, "region", {"cores": 2, "load_before": [1.0]}, [median("up", "s", [1.0]), median("down", "s", [2.0])]
    )
    write(
        tmp_path,
        "region",
        {"cores": 2, "load_before": [0.5]},
        [median("down", "s", [3.0]), median("again", "s", [4.0])],
        whole=False,
    )
    document = json.loads((tmp_path / "region.json").read_text())
    assert [(case["name"], case["value"]) for case in document["cases"]] == [("up", 1.0), ("down", 3.0), ("again", 4.0)]


def test_results_of_another_machine_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path, "region", {"cores": 64, "load_before": [1.0]}, [median("up", "s", [1.0])])
    write(tmp_path, "region", {"cores": 2, "load_before": [1.0]}, [median("down", "s", [3.0])], whole=False)
    document = json.loads((tmp_path / "region.json").read_text())
    assert [case["name"] for case in document["cases"]] == ["down"]
