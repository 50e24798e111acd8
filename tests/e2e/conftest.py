"""What needs the whole region: it must be up (`make up`), and is left up."""

import subprocess

import pytest
from postroad_ops import places
from postroad_region import daemon


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.region)


@pytest.fixture(scope="session", autouse=True)
def _region_is_up() -> None:
    if daemon.status() is None:
        pytest.fail("no region runs on this machine; run: make up", pytrace=False)


class Operator:
    """Runs the operator's commands."""

    def __call__(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [places.program("postroad-ops"), *arguments],
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, (
                f"{arguments}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return done


@pytest.fixture(scope="session")
def operator() -> Operator:
    return Operator()
