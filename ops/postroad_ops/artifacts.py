"""What the controller puts into the artifacts bucket: the release and the apt repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from postroad_ops import apt_repository, hosts, places
from postroad_ops.faults import OperationError
from postroad_ops.package import ReleaseArtifact, package
from postroad_ops.package_error import PackageError
from postroad_ops.package_upload import put

RECORD = "releases/recorded.json"


def bucket_of(stack: str) -> str:
    """The stack's bucket, as project `network` names it."""
    return f"postroad-{stack}-artifacts"


def publish_release(stack: str) -> tuple[ReleaseArtifact, int]:
    """Build the release of this checkout and upload it; the release, and how many objects were new.

    Raises:
        OperationError: it can't be built or uploaded.
    """
    key = places.region_state() / "ssh" / "release_ed25519" if stack == "local" else None
    try:
        artifact = package(key=key)
    except PackageError as error:
        raise OperationError(f"the release can't be built: {error}", remedy="mend it, then: make package") from error
    return artifact, publish(stack, artifact)


def publish(stack: str, artifact: ReleaseArtifact) -> int:
    """Upload a built release; how many objects were new.

    Raises:
        OperationError: the bucket refuses.
    """
    name = f"releases/{artifact.id}.tar.gz"
    # The signature goes last: a release without one isn't there for a host.
    files = ((artifact.archive, name), (artifact.signature, f"{name}.sig"))
    return sum([_put(stack, path, key) for path, key in files])


def publish_apt(stack: str) -> int:
    """Build the apt repository and upload what is new; how many objects that was.

    The index goes last, so that what it names is there.

    Raises:
        OperationError: it can't be built or uploaded.
    """
    home = places.region_state() / "apt" / "gnupg" if stack == "local" else Path.home() / ".gnupg"
    folder = apt_repository.build(home)
    if stack == "local":
        shutil.copyfile(folder / "archive-key.asc", places.region_state() / "apt" / "archive-key.asc")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    ordered = [*(p for p in files if "pool" in p.parts), *(p for p in files if "pool" not in p.parts)]
    return sum(_put(stack, path, f"apt/{path.relative_to(folder)}") for path in ordered)


def _put(stack: str, path: Path, key: str) -> bool:
    bucket = bucket_of(stack)
    try:
        return hosts.patiently(lambda: put(hosts.client("s3", stack), path, bucket, key))
    except (BotoCoreError, ClientError) as error:
        raise OperationError(f"can't upload {key} to bucket {bucket}: {error}", remedy="run: make up") from error
