"""Metric math, as far as alarms of Postroad need it: arithmetic, comparisons, and a few functions.

Known functions: ABS, AVG, CEIL, DIFF, FILL, FLOOR, IF, MAX, MIN, PERIOD, RATE, SUM; the reducing ones take a list in
brackets and give a series. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

Series = list[float | None]
_BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_LISTS: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "MIN": min,
    "MAX": max,
    "AVG": lambda values: sum(values) / len(values),
}


class ExpressionError(ValueError):
    """An expression that isn't understood here."""


def evaluate(text: str, series: Mapping[str, Series], *, period: int, length: int) -> Series:
    """The series that an expression gives; a point with a missing operand, or a division by 0, is missing.

    Args:
        series: of every other query, by id, each `length` points.

    Raises:
        ExpressionError: it doesn't parse, or uses what isn't known.
    """
    try:
        tree = ast.parse(text.strip().replace(" AND ", " and ").replace(" OR ", " or "), mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"expression {text!r} doesn't parse") from error
    return _Evaluation(series, period, length).of(tree.body)


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], period: int, length: int) -> None:
        self._series = series
        self._period = period
        self._length = length

    def of(self, node: ast.AST) -> Series:
        match node:
            case ast.Constant(value=int() | float() as number):
                return [float(number)] * self._length
            case ast.Name(id=name) if name in self._series:
                return list(self._series[name])
            case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _BINARY:
                return self._pairs(_BINARY[type(kind)], left, right)
            case ast.Compare(left=left, ops=[kind], comparators=[right]) if type(kind) in _BINARY:
                return self._pairs(_BINARY[type(kind)], left, right)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return [None if value is None else -value for value in self.of(inner)]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name.upper(), arguments)
        raise ExpressionError(f"expression part {ast.unparse(node)!r} isn't known here")

    def _pairs(self, function: Callable[[float, float], float], left: ast.AST, right: ast.AST) -> Series:
        return [_apply(function, a, b) for a, b in zip(self.of(left), self.of(right), strict=True)]

    def _call(self, name: str, arguments: list[Any]) -> Series:
        match name, arguments:
            case "FILL", [what, ast.Name(id="REPEAT")]:
                return _repeat(self.of(what))
            case "FILL", [what, by]:
                return [b if a is None else a for a, b in zip(self.of(what), self.of(by), strict=True)]
            case "IF", [condition, *branches]:
                yes = self.of(branches[0]) if branches else [1.0] * self._length
                no: Series = self.of(branches[1]) if len(branches) > 1 else [None] * self._length
                return [
                    None if test is None else (a if test else b)
                    for test, a, b in zip(self.of(condition), yes, no, strict=True)
                ]
            case "PERIOD", [_]:
                return [float(self._period)] * self._length
            case "DIFF", [what]:
                return self._differences(self.of(what), 1)
            case "RATE", [what]:
                return self._differences(self.of(what), self._period)
            case _, [ast.List(elts=parts)] if name in _LISTS:
                rows = zip(*(self.of(part) for part in parts), strict=True)
                return [_reduce(_LISTS[name], list(row)) for row in rows]
            case _, [what] if name in _EACH:
                return [None if value is None else float(_EACH[name](value)) for value in self.of(what)]
            case _, [what] if name in _LISTS:
                return [_reduce(_LISTS[name], self.of(what))] * self._length
        raise ExpressionError(f"function {name} isn't known here with {len(arguments)} arguments")

    def _differences(self, values: Series, by: float) -> Series:
        return [None, *(_apply(lambda a, b: (b - a) / by, a, b) for a, b in pairwise(values))]


def _apply(function: Callable[[float, float], float], a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    try:
        return float(function(a, b))
    except (ZeroDivisionError, OverflowError):
        return None


def _reduce(function: Callable[[list[float]], float], values: Series) -> float | None:
    present = [value for value in values if value is not None]
    return float(function(present)) if present else None


def _repeat(values: Series) -> Series:
    last: float | None = None
    filled: Series = []
    for value in values:
        last = value if value is not None else last
        filled.append(last)
    return filled
