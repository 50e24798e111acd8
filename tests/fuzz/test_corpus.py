"""Every input of the corpus: examples of each protocol, and all that ever broke a target."""

import importlib
from pathlib import Path

import pytest
from targets import TARGETS, inputs

EACH = [(target, file) for target in TARGETS for file in inputs(target)]


@pytest.mark.parametrize(("target", "file"), EACH, ids=[f"{target}-{file.name}" for target, file in EACH])
def test_what_must_always_hold_holds(target: str, file: Path) -> None:
    importlib.import_module(target).check(file.read_bytes())
