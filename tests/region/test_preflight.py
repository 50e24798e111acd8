"""A machine that isn't fit for a region is told so in one line, before anything is made.

Each case runs the real check in namespaces of its own, where the fault is real too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

CHECK = """
import sys
from postroad_region import preflight
from postroad_region.errors import RegionError
from postroad_region.paths import paths
try:
    preflight.check(paths())
except RegionError as error:
    print(error)
    sys.exit(1)
"""
LOOPBACK = "ip link set lo up"


def check(tmp_path: Path, before: str = LOOPBACK, *, path: str = "", program: str = "") -> tuple[int, str]:
    """Exit code and output of the check in new network and mount namespaces, after the shell commands `before`."""
    script = tmp_path / "check.py"
    script.write_text(CHECK)
    run = program or f"{sys.executable} {script}"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-ec", f"{before}\n{run}"],
        env={
            **os.environ,
            "POSTROAD_REGION_STATE": str(tmp_path / "state"),
            "POSTROAD_REGION_RUN": str(tmp_path / "run"),
            "POSTROAD_CACHE": str(tmp_path / "cache"),
            **({"PATH": path} if path else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_this_machine_is_fit(tmp_path: Path) -> None:
    assert check(tmp_path) == (0, "")


def test_not_root(tmp_path: Path) -> None:
    # A user namespace without a mapping: the process reads what root may, and is nobody.
    code, said = check(tmp_path, program=f"unshare --user {sys.executable} {tmp_path / 'check.py'}")
    assert (code, said) == (1, "the region needs root (network namespaces, containers); run as root: sudo make up")


def test_another_system(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n')
    code, said = check(tmp_path, f"{LOOPBACK}; mount --bind {release} /etc/os-release")
    assert (code, said) == (1, "the region runs on Debian 12, this is Ubuntu 24.04 LTS; use a Debian 12 machine")


def test_a_missing_tool(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "ip", "unshare"):
        (tools / name).symlink_to(f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/bin/{name}")
    code, said = check(tmp_path, path=str(tools))
    assert (code, said) == (1, "`podman` is missing; run: make env (or: apt-get install podman)")


def test_no_room(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    code, said = check(tmp_path, f"{LOOPBACK}; mount -t tmpfs -o size=1m none {state}")
    assert (code, said) == (1, f"{state} has less than 4 GiB free; free some, or choose another folder")


def test_a_network_in_the_box_s_range(tmp_path: Path) -> None:
    before = f"{LOOPBACK}; ip link add other type veth; ip address add 10.21.0.1/16 dev other; ip link set other up"
    code, said = check(tmp_path, before)
    assert code == 1
    assert said.startswith("this machine has 10.21.0.0/16 on other, which the region's ranges overlap; ")


def test_the_port_is_taken(tmp_path: Path) -> None:
    listen = (
        f"{sys.executable} -c \"import socket, time; s = socket.create_server(('127.0.0.1', 5580)); "
        f"print('up', file=open('{tmp_path}/up', 'w'), flush=True); time.sleep(60)\" & listener=$!"
    )
    before = f"{LOOPBACK}\n{listen}\nwhile ! [ -s {tmp_path}/up ]; do sleep 0.05; done\ntrap 'kill $listener' EXIT"
    code, said = check(tmp_path, before)
    assert (code, said) == (1, "port 5580 on 127.0.0.1 is in use; see who: ss -ltnp 'sport = :5580'")
