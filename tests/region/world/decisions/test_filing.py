"""What authentication leads to."""

import pytest
from postroad_region.world.decisions.dmarc import Judgement
from postroad_region.world.decisions.filing import Filing, Outcomes, filed
from postroad_region.world.definition.provider import Checks

FAIL = Judgement("fail", "reject")
SPAM = Judgement("fail", "quarantine")
INBOX = Filing()


@pytest.mark.parametrize(
    ("checks", "found", "expected"),
    [
        ({}, Outcomes("fail", "fail", FAIL, "fail"), INBOX),
        ({"dmarc": "record"}, Outcomes("fail", "fail", FAIL), INBOX),
        ({"dmarc": "enforce"}, Outcomes("fail", "fail", FAIL), Filing("dmarc")),
        ({"dmarc": "enforce"}, Outcomes("fail", "fail", SPAM), Filing(folder="spam")),
        ({"dmarc": "enforce"}, Outcomes("fail", "fail", Judgement("fail", "none")), INBOX),
        ({"dmarc": "enforce"}, Outcomes("pass", "none", Judgement("pass")), INBOX),
        ({"dmarc": "enforce"}, Outcomes("none", "unchecked", Judgement("unchecked")), INBOX),
        ({"dmarc": "enforce"}, Outcomes("none", "temperror", Judgement("temperror")), Filing("dmarc-temporary")),
        ({"spf_fail": "reject"}, Outcomes("fail", "pass"), Filing("spf")),
        ({"spf_fail": "reject"}, Outcomes("softfail", "none"), INBOX),
        ({"reverse_name": "require"}, Outcomes(reverse="fail"), Filing("reverse-name")),
        ({"reverse_name": "require"}, Outcomes(reverse="temperror"), INBOX),
        ({"reverse_name": "record"}, Outcomes(reverse="fail"), INBOX),
        ({"authentication": "required"}, Outcomes("none", "none"), Filing("unauthenticated")),
        ({"authentication": "required"}, Outcomes("fail", "fail"), Filing("unauthenticated")),
        ({"authentication": "required"}, Outcomes("pass", "none"), INBOX),
        ({"authentication": "required"}, Outcomes("none", "pass"), INBOX),
        ({"authentication": "required"}, Outcomes("none", "unchecked"), INBOX),
        ({"authentication": "required"}, Outcomes("temperror", "none"), Filing("dmarc-temporary")),
    ],
)
def test_a_message_is_filed(checks: dict[str, str], found: Outcomes, expected: Filing) -> None:
    assert filed(found, Checks.model_validate(checks)) == expected
