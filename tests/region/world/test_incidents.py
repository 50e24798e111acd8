"""What goes wrong, and when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world.clock import DAY, Clock
from postroad_region.world.definition import Incident, ScriptedIncident
from postroad_region.world.incidents import Incidents

OUTAGE = Incident(kind="outage", provider="gmail", duration=600)
SCRIPT = [
    ScriptedIncident(kind="slow", duration=3600, at=DAY),
    ScriptedIncident(kind="outage", duration=60, at=2 * DAY),
]


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Incidents]:
    return lambda *script: Incidents(tmp_path / "incidents.json", script, clock)


def ids(incidents: Incidents) -> list[str]:
    return [each.id for each in incidents.running()]


def test_one_that_an_operator_begins_ends_by_itself(make: Callable[..., Incidents], clock: Clock) -> None:
    incidents = make()
    begun = incidents.begin(OUTAGE)
    assert (begun.began, begun.ends) == (clock.now(), clock.now() + 600)
    assert incidents.of("gmail", "outage") == OUTAGE
    assert incidents.of("yahoo", "outage") is None
    assert incidents.next_change() == begun.ends
    clock.advance(600)
    assert incidents.of("gmail", "outage") is None
    assert incidents.next_change() == float("inf")


def test_one_may_be_ended_early(make: Callable[..., Incidents]) -> None:
    incidents = make()
    begun = incidents.begin(OUTAGE)
    assert incidents.end(begun.id)
    assert not incidents.end(begun.id)
    assert ids(incidents) == []


def test_it_goes_on_after_a_restart(make: Callable[..., Incidents], clock: Clock) -> None:
    make().begin(OUTAGE)
    again = make()
    assert ids(again) == ["1"]
    assert again.begin(OUTAGE).id == "2"
    clock.advance(601)
    assert ids(make()) == []


def test_the_script_follows_the_clock(make: Callable[..., Incidents], clock: Clock) -> None:
    incidents = make(*SCRIPT)
    changes: list[list[str]] = []
    incidents.changed = lambda: changes.append(ids(incidents))
    assert ids(incidents) == []
    assert incidents.next_change() == clock.began + DAY
    clock.advance(DAY + 1)
    assert ids(incidents) == ["script-1"]
    clock.advance(3600)
    assert ids(incidents) == []
    clock.advance(DAY - 3600)
    assert ids(incidents) == ["script-2"]
    clock.reset()
    incidents.reset()
    assert ids(incidents) == []
    assert changes == [["script-1"], [], ["script-2"], []]


def test_no_more_than_a_hundred_are_kept(make: Callable[..., Incidents]) -> None:
    incidents = make()
    for _ in range(150):
        incidents.begin(OUTAGE)
    assert len(make().running()) == 100


@pytest.mark.parametrize("content", ["", "[]", '{"counter": 1, "posted": [{"id": "1"}]}'])
def test_a_spoilt_file_is_none(make: Callable[..., Incidents], tmp_path: Path, content: str) -> None:
    (tmp_path / "incidents.json").write_text(content)
    assert ids(make()) == []


@pytest.mark.parametrize(
    ("sources", "source", "expected"),
    [
        ((), "198.18.113.5", True),
        (("198.18.113.5",), "198.18.113.5", True),
        (("198.18.113.5",), "198.18.113.6", False),
        (("198.18.112.0/24", "198.18.113.0/24"), "198.18.113.6", True),
    ],
)
def test_whom_it_concerns(sources: tuple[str, ...], source: str, expected: bool) -> None:
    assert Incident(kind="slow", duration=1, sources=sources).concerns(source) is expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"kind": "flood"}, "Input should be"),
        ({"duration": 0}, "greater than 0"),
        ({"duration": "soon"}, "is no span of time"),
        ({"host": "mx.gmail.test", "kind": "slow"}, "host is for an outage"),
        ({"kind": "blocklist"}, "needs sources"),
        ({"sources": ["here"]}, "'here' is no IPv4 address or network"),
        ({"reply": "550 5.1.1 x"}, "outage has no reply"),
        ({"kind": "defer", "reply": "550 5.1.1 x"}, "has to begin with 4"),
        ({"kind": "unknown-recipients", "reply": "450 4.1.1 x"}, "has to begin with 5"),
        ({"share": 2}, "less than or equal to 1"),
    ],
)
def test_a_wrong_one_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Incident.model_validate({"kind": "outage", "duration": 60} | given)
