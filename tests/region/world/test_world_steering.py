"""The world's clock, metrics and orders."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postroad_region.errors import RegionError
from prometheus_client.parser import text_string_to_metric_families

from .process import HOSTS, LIMITED, OTHER, RETURNS, SOURCE, WORLD, Case, started, wait_for

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def running(make_namespace: Callable[..., Any], folder: Path) -> Iterator[Case]:
    with started(make_namespace(SOURCE, OTHER, LIMITED, RETURNS), folder) as case:
        yield case


@pytest.fixture
def case(running: Case) -> Case:
    return running.afresh()


def test_a_month_passes_in_seconds_and_a_source_warms_up(case: Case) -> None:
    case.world.post("/clock?day=0.5")
    began = case.world.get("/clock")["since"]
    volume, day = 8, 0
    while day < 4:
        assert set(case.codes(*(f"u{n}@odd.test" for n in range(volume)), host="mx.odd.test")) == {250}, f"day {day}"
        today = int((case.world.get("/clock")["now"]) // 86_400)
        wait_for(lambda: int(case.world.get("/clock")["now"] // 86_400) > today)  # noqa: B023
        volume, day = volume * 2, day + 1
    case.world.post("/clock?day=0.1")
    wait_for(lambda: case.world.get("/clock")["since"] - began > 30 * 86_400, seconds=30)
    standing = case.world.get("/reputation")["odd"][SOURCE]
    assert standing["standing"] == "good"
    assert standing["usual"] < 64, "what isn't used fades"


def test_metrics_are_prometheus_text(case: Case) -> None:
    case.send("b@odd.test", host="mx.odd.test")
    case.world.post("/incidents?kind=slow&delay=1&duration=1h")
    text = case.world.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["postroad_world_verdicts"].samples
    assert (sample.labels, sample.value) == ({"provider": "odd", "source": SOURCE, "verdict": "accepted"}, 1)
    (score,) = families["postroad_world_reputation_score"].samples
    assert score.value == 0.3
    assert {sample.labels["host"] for sample in families["postroad_world_host_listening"].samples} == set(HOSTS)
    assert families["postroad_world_incidents_active"].samples[0].labels == {"kind": "slow"}
    assert families["postroad_world_outbound_queued"].samples[0].value == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/incidents?kind=flood&duration=1", "kind: 'flood' Input should be"),
        ("/incidents?kind=outage&duration=1&provider=x", "provider 'x' is none of gmail"),
        ("/clock?day=0", "day: 0 isn't above 0"),
        ("/clock?speed=2", "speed is none of advance, day"),
        ("/feedback-loops?domain=x", "domain: 'x' is no lower-case host name"),
    ],
)
def test_a_wrong_order_is_told_so(case: Case, path: str, reason: str) -> None:
    with pytest.raises(RegionError, match=re.escape(reason).replace("'", "['\"]")):
        case.world.post(path)


def test_a_reset_forgets_everything(case: Case) -> None:
    case.codes("bounce-1@odd.test", host="mx.odd.test")
    case.world.post("/incidents?kind=outage&provider=gmail&duration=1h")
    case.world.post("/clock?day=60")
    case.world.post("/feedback-loops?domain=x.test&address=a@x.test")
    case.world.reset()
    assert case.world.get("/counts")["verdicts"] == {}
    assert case.world.get("/outbound")["queued"] == 0
    assert case.world.get("/incidents")["running"] == []
    assert case.world.get("/clock")["day"] == 86_400
    assert case.world.get("/reputation")["odd"] == {}
    assert [loop["domain"] for loop in case.world.get("/feedback-loops")] == ["postroad.test"]
    wait_for(lambda: case.world.get("/providers")["gmail"]["hosts"]["mx.gmail.test"]["listens"])
    assert case.codes("b@gmail.test") == [250]


def test_the_script_s_incidents_begin_and_end_by_the_clock(case: Case) -> None:
    outage = {"at": "1h", "duration": "30m", "kind": "outage", "provider": "odd"}
    case.write(WORLD | {"incidents": [outage]})
    case.world.ensure()
    case.world.reset()
    listens = lambda: case.world.get("/providers")["odd"]["hosts"]["mx.odd.test"]["listens"]  # noqa: E731
    assert listens()
    case.world.post("/clock?advance=1h")
    wait_for(lambda: not listens())
    assert [each["id"] for each in case.world.get("/incidents")["running"]] == ["script-1"]
    case.world.post("/clock?advance=30m")
    wait_for(listens)
