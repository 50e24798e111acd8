"""The wheels of a release: the project's own, built reproducibly, and the locked dependencies for the hosts' Python.

Hosts are Debian 12 on x86_64 or arm64: CPython 3.11, glibc 2.36. What is collected fits them whatever the controller
runs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from postroad_ops.package_archive import EPOCH, sha256
from postroad_ops.package_error import PackageError

ARCHITECTURES = ("x86_64", "aarch64")
"""What a stack's instance types may be; a release fits them all, so that a fleet can move from one to the other."""


def platforms(architecture: str) -> list[str]:
    """The platform tags that a host's glibc 2.36 takes, best first."""
    newest_first = [f"manylinux_2_{minor}_{architecture}" for minor in range(36, 16, -1)]
    return [*newest_first, f"manylinux2014_{architecture}", f"linux_{architecture}"]


@cache
def tags(architecture: str) -> dict[Tag, int]:
    """What a host can install; the lower the number, the better it fits."""
    fitting = platforms(architecture)
    ranked = [*cpython_tags((3, 11), platforms=fitting), *compatible_tags((3, 11), "cp311", fitting)]
    return {tag: rank for rank, tag in enumerate(ranked)}


def markers(architecture: str) -> dict[str, str]:
    """The hosts' environment markers (PEP 508)."""
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": architecture,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": "3.11.2",
        "python_version": "3.11",
        "sys_platform": "linux",
        "extra": "",
    }


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked requirement that applies to the hosts."""

    name: str
    version: str
    hashes: frozenset[str]


def pins(lock: str, architecture: str) -> Iterator[Pin]:
    """The requirements of a hash-locked file that apply to hosts of this architecture.

    Raises:
        PackageError: A requirement isn't pinned with `==` and hashes.
    """
    for line in lock.replace("\\\n", " ").splitlines():
        text = line.split(" #", 1)[0].strip()
        if not text or text.startswith("#"):
            continue
        spec, *options = text.split(" --hash=sha256:")
        requirement = Requirement(spec.strip())
        version = str(requirement.specifier).removeprefix("==")
        if not options or str(requirement.specifier) == version:
            raise PackageError(f"{requirement.name} isn't pinned with == and hashes: lock it again with make lock")
        if requirement.marker is None or requirement.marker.evaluate(markers(architecture)):
            yield Pin(canonicalize_name(requirement.name), version, frozenset(option.strip() for option in options))


def collect(lock: Path, *, folder: Path) -> list[Path]:
    """The wheels that `lock` names for hosts of any architecture, in `folder`; fetched where missing, checked by hash.

    Raises:
        PackageError: A wheel can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen: set[Path] = set()
    for architecture in ARCHITECTURES:
        wanted = list(pins(lock.read_text(), architecture))
        if missing := [pin for pin, wheel in _found(wanted, folder, architecture).items() if wheel is None]:
            _download(missing, folder, architecture)
        found = _found(wanted, folder, architecture)
        if lacking := sorted(pin.name for pin, wheel in found.items() if wheel is None):
            reason = f"no wheel for the hosts' Python 3.11 on {architecture} in {folder}"
            raise PackageError(f"{reason}: {', '.join(lacking)}")
        chosen.update(wheel for wheel in found.values() if wheel is not None)
    return sorted(chosen)


def _found(wanted: Iterable[Pin], folder: Path, architecture: str) -> dict[Pin, Path | None]:
    ranked: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    fits = tags(architecture)
    for path in folder.glob("*.whl"):
        try:
            name, version, _, carried = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if fitting := [fits[tag] for tag in carried if tag in fits]:
            ranked.setdefault((name, str(version)), []).append((min(fitting), path))
    return {
        pin: next(
            (path for _, path in sorted(ranked.get((pin.name, pin.version), [])) if sha256(path) in pin.hashes), None
        )
        for pin in wanted
    }


def _download(missing: Iterable[Pin], folder: Path, architecture: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="postroad-wheels-", suffix=".txt") as listed:
        for pin in missing:
            listed.write(f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{h}' for h in sorted(pin.hashes))}\n")
        listed.flush()
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--dest", str(folder), "-r", listed.name]
        command += ["--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none"]
        command += [f"--platform={platform}" for platform in platforms(architecture)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"pip can't download the locked wheels into {folder}: {done.stderr.strip()[-300:]}")


def build(source: Path, target: Path) -> Path:
    """Build the wheel of the distribution at `source` into `target`; the same files give the same octets.

    Raises:
        PackageError: The build backend refuses.
    """
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)
    try:
        return Path(next(iter(WheelBuilder(str(source)).build(directory=str(target), versions=["standard"]))))
    except (ValueError, OSError) as error:
        raise PackageError(f"the wheel of {source} doesn't build: {error}") from error
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def pinned(wheels: Iterable[Path]) -> str:
    """A requirements file that admits exactly these wheels: a line a package, with a hash for each architecture."""
    hashes: dict[str, set[str]] = {}
    machines: dict[str, set[str]] = {}
    for wheel in wheels:
        name, version, _, carried = parse_wheel_filename(wheel.name)
        pin = f"{name}=={version}"
        hashes.setdefault(pin, set()).add(sha256(wheel))
        machines.setdefault(pin, set()).update(a for a in ARCHITECTURES if any(tag in tags(a) for tag in carried))
    lines = []
    for pin in sorted(hashes):
        # What is locked for one architecture alone must not be asked for on the other.
        only = "" if len(machines[pin]) == len(ARCHITECTURES) else f' ; platform_machine == "{machines[pin].pop()}"'
        lines.append(f"{pin}{only} {' '.join(f'--hash=sha256:{octets}' for octets in sorted(hashes[pin]))}\n")
    return "".join(lines)
