"""What a campaign reports becomes a case."""

from postroad_bench.soak import campaign, fuzzed, killed


def test_a_campaign_tells_how_often_it_converged_and_what_took_longest() -> None:
    converged = [
        {"operation": "launch", "seconds": 2.5},
        {"operation": "terminate", "seconds": 4.0},
        {"operation": "launch", "seconds": 3.0},
    ]
    case = campaign({"seed": 7, "converged": converged})
    assert (case.value, case.unit, list(case.rounds)) == (3, "of 3 converged", [2.5, 4.0, 3.0])
    assert case.notes == {"seed": 7, "slowest_s": {"terminate": 4.0, "launch": 3.0}}


def test_kills_of_the_mta_are_told_by_the_number_of_workers() -> None:
    facts = {"accepted": 900, "delivered": 800, "bounced": 100, "duplicates": 3, "kills": 50, "seed": 7}
    assert killed({"workers": 1, **facts}).name == "mta-killed-under-load"
    case = killed({"workers": 2, **facts})
    assert (case.name, case.value, case.unit) == ("mta-killed-under-load-workers-2", 0, "of 900 accepted lost")
    assert case.notes["duplicates"] == 3


def test_inputs_of_all_targets_are_counted() -> None:
    case = fuzzed([{"target": "a", "inputs": 5, "seed": 7}, {"target": "b", "inputs": 6, "seed": 7}])
    assert (case.value, list(case.rounds)) == (11, [5, 6])
    assert case.notes == {"seed": 7, "inputs": {"a": 5, "b": 6}}
