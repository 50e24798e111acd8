"""The bill of materials of a release (CycloneDX)."""

import subprocess
import sys
from pathlib import Path

from postroad_ops.package_error import PackageError


def write(requirements: Path, *, project: Path, target: Path) -> None:
    """Write the CycloneDX JSON of the pinned `requirements`, with `project` (a pyproject.toml) as what they make up.

    Raises:
        PackageError: `cyclonedx-py` failed.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible", "--of", "JSON"]
    # Validating against the schema takes 2.5 s; a test does it.
    command += ["--no-validate", "--pyproject", str(project), "-o", str(target), requirements.name]
    made = subprocess.run(command, cwd=requirements.parent, capture_output=True, text=True, check=False)
    if made.returncode:
        raise PackageError(f"cyclonedx-py failed on {requirements.name}: {made.stderr.strip()[-300:]}")
