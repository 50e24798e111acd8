"""Starting and removing the region as a whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from postroad_region import addresses, guard, keys, preflight, supervisor
from postroad_region.balancer.balancers import Balancers
from postroad_region.daemon import status
from postroad_region.errors import RegionError
from postroad_region.fabric import links
from postroad_region.faults.enforcer import Enforcer
from postroad_region.hypervisor import base_image, hosts, images, volumes
from postroad_region.internet import Internet
from postroad_region.paths import Paths

READY_SECONDS = 20.0
Progress = Callable[[str], None]


def up(paths: Paths, progress: Progress) -> None:
    """Have the region running; taking up whatever an earlier one left.

    Raises:
        RegionError: the machine isn't fit for it, or the daemon doesn't come up.
    """
    preflight.check(paths)
    progress("guard")
    guard.raise_guard()
    keys.ensure(paths)
    progress(f"base image {base_image.reference()}")
    # The daemon boots what `up` chose: a recipe that changes under it doesn't make it build.
    paths.base_image.write_text(base_image.ensure(paths.images) + "\n")
    progress("daemon")
    process = supervisor.process(paths)
    process.ensure(supervisor.command(paths))
    deadline = time.monotonic() + READY_SECONDS
    while status() is None:
        if process.running() is None or time.monotonic() > deadline:
            process.stop()
            # The daemon's own last word, not the supervisor's JSON lines around it.
            lines = [line for line in process.log_file.read_text().splitlines() if not line.startswith("{")]
            reason = lines[-1].removeprefix("postroad-region: ") if lines else "no message"
            raise RegionError(f"the region's daemon didn't come up: {reason}", remedy=f"see {process.log_file}")
        time.sleep(0.1)


def down(paths: Paths, progress: Progress) -> None:
    """Remove all that the region made, and nothing else; caches stay.

    The guard goes last, when nothing that could send is left.
    """
    progress("daemon")
    supervisor.process(paths).stop(deadline=30)
    Internet(paths).stop()
    Balancers(paths).stop()
    progress("hosts")
    for instance_id, host in hosts.all_hosts().items():
        if host.running:
            Enforcer.release_host(host.pid)
        hosts.remove(instance_id)
        links.remove_instance(instance_id)
    volumes.release_all(paths.instances)
    volumes.unmount_all(paths.volumes)
    progress("networks")
    for name in links.instance_namespaces():
        links.remove_instance(name)
    links.remove_backbone()
    for image in images.made():
        images.remove(image)
    progress("state")
    shutil.rmtree(paths.state, ignore_errors=True)
    shutil.rmtree(paths.run, ignore_errors=True)
    guard.lower_guard()


def environment(paths: Paths) -> dict[str, str]:
    """What native commands need to talk to the region instead of AWS."""
    return {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5580",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "postroad",
        "AWS_SECRET_ACCESS_KEY": "postroad",
        "POSTROAD_REGION_STATE": str(paths.state),
        "POSTROAD_REGION_RUN": str(paths.run),
        "POSTROAD_CONTROLLER": str(addresses.CONTROLLER),
    }
