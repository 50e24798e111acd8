"""What a region leaves whose processes were all killed at once is taken up by the next command."""

import json
import os
import signal
from pathlib import Path

from postroad_ops.command import Operator
from postroad_region.hypervisor import hosts
from postroad_region.paths import paths

MARKS = ("postroad_region", str(paths().state), str(paths().run))


def region_processes() -> set[int]:
    """Every process of the region: its hosts', their monitors, its own servers."""
    found: set[int] = set()
    for host in hosts.all_hosts().values():
        if host.running:
            found |= set(hosts.process_tree(host.pid))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if any(mark in command for mark in MARKS) or ("conmon" in command and " -n i-" in command):
                found.add(int(entry.name))
    return found


def test_make_up_brings_it_back_and_ansible_has_nothing_to_change(operator: Operator) -> None:
    killed = region_processes()
    assert len(killed) > 30
    for pid in killed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue

    said = operator("up").stdout

    assert "site.yml" in said
    assert " changed=0" in said, said
    report = json.loads(operator("send", "--count", "200", "--json").stdout)
    assert (report["accepted"], report["delivered"], report["twice"]) == (200, 200, 0)
