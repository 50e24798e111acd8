"""Stops a host's processes where they are, and lets them go on: the cgroup freezer, version 1 or 2.

Its kernel goes on: connections to listening ports still come about, and nobody answers them.
"""

from __future__ import annotations

from pathlib import Path

from postroad_region.errors import RegionError

HIERARCHY_1 = Path("/sys/fs/cgroup/freezer")
HIERARCHY_2 = Path("/sys/fs/cgroup")


def set_frozen(pid: int, *, frozen: bool) -> None:
    """Freeze or thaw the control group that a process is in; what is so already stays so.

    Raises:
        RegionError: the process isn't in a control group of its own, or there is no freezer.
    """
    control, on, off = _control(pid)
    wanted = on if frozen else off
    current = control.read_text().strip()
    if current != wanted and not (frozen and current == "FREEZING"):
        control.write_text(wanted)


def is_frozen(pid: int) -> bool:
    """Whether the process stands still by `set_frozen`."""
    control, _, off = _control(pid)
    return control.read_text().strip() != off


def _control(pid: int) -> tuple[Path, str, str]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise RegionError(f"process {pid} is gone") from None
    paths = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    for controllers, root, file, on, off in (
        ("freezer", HIERARCHY_1, "freezer.state", "FROZEN", "THAWED"),
        ("", HIERARCHY_2, "cgroup.freeze", "1", "0"),
    ):
        path = paths.get(controllers, "/")
        # Never a group that holds more than the host.
        if path != "/" and (root / path.lstrip("/") / file).exists():
            return root / path.lstrip("/") / file, on, off
    raise RegionError(f"process {pid} has no control group that can be frozen")
