"""What rounds of several systems come to."""

import dns.zone
import pytest
from postroad_bench.mta.load import Poured
from postroad_bench.mta.million import acceptance, wanted
from postroad_bench.mta.round import Round
from postroad_bench.mta.suite import KINDS, Kind, compared
from postroad_bench.mta.world import ADDRESSES, SITES, zone
from postroad_ops.faults import OperationError


def rounds(*delivered: float) -> list[Round]:
    return [Round(rate * 2, rate, 0.5, 100.0) for rate in delivered]


def test_a_ratio_is_the_median_of_ratios_within_the_rounds() -> None:
    case = compared(
        KINDS[0], {"postroad": rounds(10, 40, 90), "postfix": rounds(1, 2, 90), "haraka": rounds(5, 5, 5)}, {}
    )
    assert (case.value, case.peer, case.peer_value, case.ratio) == (40, "postfix", 2, 10)
    assert case.notes["ratios_to_postfix"] == [10, 20, 1]
    assert case.notes["ratios_to_haraka"] == [2, 8, 18]


def test_a_case_about_acceptance_compares_what_is_accepted() -> None:
    case = compared(Kind("accept", 1, delivered=False), {"postroad": rounds(10), "postfix": rounds(5)}, {})
    assert (case.value, case.peer_value, case.ratio) == (20, 10, 2)


def test_workers_are_compared_with_one_process() -> None:
    kind = next(kind for kind in KINDS if kind.name == "workers-2")
    case = compared(kind, {"postroad-2-workers": rounds(30), "postroad": rounds(20)}, {})
    assert (case.value, case.peer, case.peer_value, case.ratio) == (30, "postroad", 20, 1.5)


def test_without_postfix_there_is_no_ratio() -> None:
    case = compared(KINDS[0], {"postroad": rounds(10, 20, 30)}, {"absent": {"postfix": "no apt"}})
    assert (case.value, case.peer, case.peer_value, case.ratio) == (20, "", None, None)


def test_the_start_of_acceptance_is_the_faster_of_its_first_tenths() -> None:
    # 1,000 messages: the first tenth in 10 s, others in 1 s each, the last in 2 s.
    marks = [
        *(n / 10 * 10 / 10 for n in range(1, 11)),
        *(10 + n / 10 for n in range(1, 81)),
        *(18 + n / 5 for n in range(1, 11)),
    ]
    marks[9] = 10.0
    poured = Poured(1000, 0, 0, 20.0, "", 1, 1, 1, marks)
    found = acceptance(poured)
    assert found["accepted_per_s_at_start"] == pytest.approx(100)
    assert found["accepted_per_s_at_end"] == pytest.approx(50)
    assert found["end_over_start"] == pytest.approx(0.5)


@pytest.mark.parametrize("said", ["", "many", "999", "-5", "1e6"])
def test_a_number_of_messages_that_is_none_is_refused_by_name(said: str) -> None:
    with pytest.raises(OperationError, match="POSTROAD_MESSAGES"):
        wanted(said)


def test_each_site_of_the_world_has_one_mail_host_of_its_own() -> None:
    found = dns.zone.from_text("\n".join(zone()), origin="bench.test.")
    hosts = {found.find_rdataset(f"mx.s{n}", "A")[0].address for n in range(SITES)}
    assert hosts == set(ADDRESSES)
    assert str(found.find_rdataset("*.s7", "MX")[0].exchange) == "mx.s7"
