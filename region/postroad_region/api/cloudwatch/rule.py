"""A composite alarm's rule: functions of other alarms' states, with AND, OR and NOT.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"\s*(?:(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|"
    r"'(?P<single>[^']+)'|(?P<bare>[^\s()]+))\s*\)|(?P<paren>[()]))"
)


class RuleError(ValueError):
    """A rule that doesn't parse."""


def holds(text: str, state_of: Callable[[str], str]) -> bool:
    """Whether the rule is true.

    Args:
        state_of: an alarm's state by its name or ARN.

    Raises:
        RuleError: the rule doesn't parse.
    """
    parser = _Parser(text, state_of)
    value = parser.any()
    if parser.tokens:
        raise RuleError(f"alarm rule: {parser.tokens[0].group().strip()!r} isn't expected there")
    return value


class _Parser:
    def __init__(self, text: str, state_of: Callable[[str], str]) -> None:
        self._state_of = state_of
        self.tokens: list[re.Match[str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise RuleError(f"alarm rule: {text[position : position + 20]!r} isn't understood")
            self.tokens.append(found)
            position = found.end()

    def any(self) -> bool:
        value = self._all()
        while self._takes("OR"):
            other = self._all()
            value = value or other
        return value

    def _all(self) -> bool:
        value = self._one()
        while self._takes("AND"):
            other = self._one()
            value = value and other
        return value

    def _one(self) -> bool:
        if self._takes("NOT"):
            return not self._one()
        if not self.tokens:
            raise RuleError("alarm rule: it ends too early")
        token = self.tokens.pop(0)
        if token["word"] in ("TRUE", "FALSE"):
            return token["word"] == "TRUE"
        if token["paren"] == "(":
            value = self.any()
            if not self.tokens or self.tokens.pop(0)["paren"] != ")":
                raise RuleError("alarm rule: a parenthesis isn't closed")
            return value
        if token["state"]:
            name = token["quoted"] or token["single"] or token["bare"]
            return self._state_of(name) == token["state"]
        raise RuleError(f"alarm rule: {token.group().strip()!r} isn't expected there")

    def _takes(self, word: str) -> bool:
        if self.tokens and self.tokens[0]["word"] == word:
            self.tokens.pop(0)
            return True
        return False
