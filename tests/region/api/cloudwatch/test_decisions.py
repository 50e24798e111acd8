"""Alarms decided on data points: AWS's own tables, statistics, metric math and rules of composite alarms."""

import pytest
from postroad_region.api.cloudwatch import rule
from postroad_region.api.cloudwatch.evaluation import breaches, state
from postroad_region.api.cloudwatch.expression import ExpressionError, Series, evaluate
from postroad_region.api.cloudwatch.statistics import Sample, series, value

POINTS = {"0": False, "X": True, "-": None}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
INSUFFICIENT = "INSUFFICIENT_DATA"


# The tables of https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("points", "to_alarm", "states"),
    [
        ("0-X-X", 3, ("OK", "OK", "OK", "OK")),
        ("----0", 3, ("OK", "OK", "OK", "OK")),
        ("-----", 3, (INSUFFICIENT, None, "ALARM", "OK")),
        ("0XX-X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", 3, ("ALARM", None, "ALARM", "OK")),
        ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
        ("----0", 2, ("OK", "OK", "ALARM", "OK")),
        ("---X-", 2, ("ALARM", None, "ALARM", "OK")),
    ],
)
def test_missing_data_is_treated_as_in_aws_s_tables(points: str, to_alarm: int, states: tuple[str | None, ...]) -> None:
    for treat, expected in zip(TREATMENTS, states, strict=True):
        found = state([POINTS[point] for point in points], periods=3, to_alarm=to_alarm, treat=treat)
        assert found == expected, treat


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        ("GreaterThanThreshold", False, False, True),
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_comparisons(comparison: str, below: bool, at: bool, above: bool) -> None:
    assert [breaches(number, comparison, 5) for number in (4, 5, 6)] == [below, at, above]


SAMPLES = [
    Sample(float(second), float(number), float(number), float(number))
    for second, number in [(0, 4), (10, 1), (59, 7), (60, 100), (130, 8)]
]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Sum", 12),
        ("Average", 4),
        ("Minimum", 1),
        ("Maximum", 7),
        ("SampleCount", 3),
        ("p50", 4),
        ("p100", 7),
        ("p0", 1),
        ("p75", 5.5),
    ],
)
def test_statistics_of_a_period(statistic: str, expected: float) -> None:
    assert value(statistic, SAMPLES[:3]) == expected


def test_percentiles_of_sets_are_missing_and_unknown_statistics_told() -> None:
    assert value("p99", [Sample(0, 10, 1, 9, 2)]) is None
    assert value("Average", []) is None
    with pytest.raises(ValueError, match="tm99"):
        value("tm99", SAMPLES)


def test_periods_are_whole_and_begin_at_multiples() -> None:
    assert series(SAMPLES, "Sum", period=60, end=180, count=3) == [12, 100, 8]
    assert series(SAMPLES, "Sum", period=60, end=179, count=3) == [None, 12, 100]
    assert series(SAMPLES, "Sum", period=60, end=60, count=2) == [None, 12]


M1: Series = [10.0, None, 30.0]
M2: Series = [2.0, 4.0, 0.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 / m2", [5.0, None, None]),
        ("FILL(m1, 0) / FILL(m2, 1)", [5.0, 0.0, None]),
        ("FILL(m1, REPEAT)", [10.0, 10.0, 30.0]),
        ("SUM([m1, m2])", [12.0, 4.0, 30.0]),
        ("AVG(m1)", [20.0, 20.0, 20.0]),
        ("MAX([m1, 5])", [10.0, 5.0, 30.0]),
        ("IF(m2 > 1, m1, 7)", [10.0, None, 7.0]),
        ("-m2 + 1", [-1.0, -3.0, 1.0]),
        ("DIFF(m2)", [None, 2.0, -4.0]),
        ("RATE(m2) * PERIOD(m2)", [None, 2.0, -4.0]),
    ],
)
def test_metric_math(text: str, expected: Series) -> None:
    assert evaluate(text, {"m1": M1, "m2": M2}, period=60, length=3) == expected


@pytest.mark.parametrize("text", ["m1 +", "m9", "SEARCH('x')", "__import__('os')", "m1.real"])
def test_an_expression_that_is_not_known_is_told(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {"m1": M1}, period=60, length=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ALARM("a")', True),
        ("ALARM(a) AND OK(b)", True),
        ("ALARM(a) AND ALARM(b)", False),
        ("ALARM(b) OR (ALARM(a) AND NOT ALARM(b))", True),
        ("NOT (ALARM(a) OR FALSE)", False),
        ("INSUFFICIENT_DATA(c)", True),
    ],
)
def test_composite_rules(text: str, expected: bool) -> None:
    states = {"a": "ALARM", "b": "OK", "c": INSUFFICIENT}
    assert rule.holds(text, lambda name: states[name]) is expected


@pytest.mark.parametrize("text", ["", "ALARM(a", "ALARM(a) AND", "ALARM(a) OK(b)", "a"])
def test_a_rule_that_does_not_parse_is_told(text: str) -> None:
    with pytest.raises(rule.RuleError):
        rule.holds(text, lambda _: "OK")
