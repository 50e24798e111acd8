"""What a campaign reports becomes a case."""

from postroad_bench.soak import campaign


def test_a_campaign_tells_how_often_it_converged_and_what_took_longest() -> None:
    converged = [
        {"operation": "launch", "seconds": 2.5},
        {"operation": "terminate", "seconds": 4.0},
        {"operation": "launch", "seconds": 3.0},
    ]
    case = campaign({"seed": 7, "converged": converged})
    assert (case.value, case.unit, list(case.rounds)) == (3, "of 3 converged", [2.5, 4.0, 3.0])
    assert case.notes == {"seed": 7, "slowest_s": {"terminate": 4.0, "launch": 3.0}}
