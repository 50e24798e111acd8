"""What needs the whole region: it must be up (`make up`), and is left up."""

import pytest
from postroad_ops.command import Operator
from postroad_region import daemon


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.region)


@pytest.fixture(scope="session", autouse=True)
def _region_is_up() -> None:
    if daemon.status() is None:
        pytest.fail("no region runs on this machine; run: make up", pytrace=False)


@pytest.fixture(scope="session")
def operator() -> Operator:
    return Operator()
