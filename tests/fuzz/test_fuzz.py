"""Each target under atheris for a few seconds; `POSTROAD_FUZZ_SECONDS` says how many, `POSTROAD_SEED` repeats a run."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from targets import CORPUS, DICTIONARIES, FOLDER, TARGETS, inputs

SECONDS = int(os.environ.get("POSTROAD_FUZZ_SECONDS", "5"))
SEED = int(os.environ.get("POSTROAD_SEED", "0")) or random.randrange(1, 1 << 31)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found_that_breaks(target: str, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    options = [f"-max_total_time={SECONDS}", f"-seed={SEED}", f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
    if target in DICTIONARIES:
        options.append(f"-dict={FOLDER / DICTIONARIES[target]}")
    # What is new goes into the first folder; the one in the tree is only read.
    command = [sys.executable, str(FOLDER / "harness.py"), target, *options, str(fresh), str(CORPUS / target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS + 120)
    assert done.returncode == 0, (
        f"seed {SEED}; the input is in {sorted(path.name for path in tmp_path.iterdir())} of {tmp_path}\n"
        + "\n".join((done.stdout + done.stderr).splitlines()[-60:])
    )
    stats = next(line for line in done.stderr.splitlines() if "number_of_executed_units" in line)
    report = {"target": target, "inputs": int(stats.split()[-1]), "seed": SEED}
    print(report)
    if "POSTROAD_REPORT" in os.environ:
        with Path(os.environ["POSTROAD_REPORT"]).open("a") as file:
            file.write(json.dumps(report) + "\n")
    assert report["inputs"] >= len(inputs(target))
