"""An image of a configured host boots into service by itself, and nothing of it stays on the machine."""

import pytest
from postroad_bench import in_service
from postroad_ops import hosts
from postroad_region.hypervisor import hosts as containers
from postroad_region.hypervisor import images

from tests.e2e.waiting import wait_for

NAME = "trial-image"


@pytest.fixture(scope="module")
def launched() -> in_service.Launch:
    """A host of an image of a proxy, in service at a balancer of its own; all of it is gone again afterwards."""
    with in_service.door(NAME) as door:
        return door.launch()


def test_a_host_of_the_image_is_in_service_without_ansible(launched: in_service.Launch) -> None:
    assert launched.seconds < in_service.SERVICE_SECONDS


def test_its_image_goes_with_its_last_host(launched: in_service.Launch) -> None:
    assert not hosts.client("ec2", "local").describe_images(Filters=[{"Name": "name", "Values": [NAME]}])["Images"]
    wait_for(
        lambda: not images.made() and launched.instance not in containers.all_hosts(),
        seconds=30,
        what="no image and no host of it",
    )
