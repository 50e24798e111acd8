"""The wheels of a release: the project's own, built reproducibly, and the locked dependencies for the hosts' Python.

Hosts are Debian 12 on x86_64: CPython 3.11, glibc 2.36. What is collected fits them whatever the controller runs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from postroad_ops.package_archive import EPOCH, sha256
from postroad_ops.package_error import PackageError

PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 16, -1)] + ["manylinux2014_x86_64", "linux_x86_64"]
TAGS: dict[Tag, int] = {
    tag: rank
    for rank, tag in enumerate(
        [*cpython_tags((3, 11), platforms=PLATFORMS), *compatible_tags((3, 11), "cp311", PLATFORMS)]
    )
}
"""What a host can install, best first."""
ENVIRONMENT = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
    "extra": "",
}
"""The hosts' environment markers (PEP 508)."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked requirement that applies to the hosts."""

    name: str
    version: str
    hashes: frozenset[str]


def pins(lock: str) -> Iterator[Pin]:
    """The requirements of a hash-locked file that apply to the hosts.

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
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            yield Pin(canonicalize_name(requirement.name), version, frozenset(option.strip() for option in options))


def collect(lock: Path, *, cache: Path) -> list[Path]:
    """The wheels that `lock` names for the hosts, downloaded into `cache` where they are missing, checked by hash.

    Raises:
        PackageError: A wheel can't be had.
    """
    wanted = list(pins(lock.read_text()))
    cache.mkdir(parents=True, exist_ok=True)
    if missing := [pin for pin, wheel in _found(wanted, cache).items() if wheel is None]:
        _download(missing, cache)
    found = _found(wanted, cache)
    if lacking := sorted(pin.name for pin, wheel in found.items() if wheel is None):
        raise PackageError(f"no wheel for the hosts' Python 3.11 in {cache}: {', '.join(lacking)}")
    return sorted(wheel for wheel in found.values() if wheel is not None)


def _found(wanted: Iterable[Pin], cache: Path) -> dict[Pin, Path | None]:
    ranked: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    for path in cache.glob("*.whl"):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if fitting := [TAGS[tag] for tag in tags if tag in TAGS]:
            ranked.setdefault((name, str(version)), []).append((min(fitting), path))
    return {
        pin: next(
            (path for _, path in sorted(ranked.get((pin.name, pin.version), [])) if sha256(path) in pin.hashes), None
        )
        for pin in wanted
    }


def _download(missing: Iterable[Pin], cache: Path) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="postroad-wheels-", suffix=".txt") as listed:
        for pin in missing:
            listed.write(f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{h}' for h in sorted(pin.hashes))}\n")
        listed.flush()
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--dest", str(cache), "-r", listed.name]
        command += ["--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none"]
        command += [f"--platform={platform}" for platform in PLATFORMS]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"pip can't download the locked wheels into {cache}: {done.stderr.strip()[-300:]}")


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
    """A requirements file that admits exactly these wheels."""
    lines = []
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{sha256(wheel)}\n")
    return "".join(sorted(lines))
