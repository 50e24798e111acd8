"""Publishing a release into the artifacts bucket, from where hosts fetch it."""

from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_s3 import S3Client

from postroad_ops.package_archive import sha256
from postroad_ops.package_error import PackageError

DIGEST = "sha256"
"""Object metadata that tells whether the bucket holds the same octets already."""


def upload(archive: Path, signature: Path, *, release: str, bucket: str) -> list[str]:
    """Put `releases/<release>.tar.gz` and its `.sig` into `bucket`; return the keys that weren't there in this form.

    The signature goes last: a release without one is not there for a host.

    Raises:
        PackageError: The bucket can't be reached or refuses.
    """
    name = f"releases/{release}.tar.gz"
    try:
        client = boto3.client("s3")
        return [key for path, key in ((archive, name), (signature, f"{name}.sig")) if put(client, path, bucket, key)]
    except (BotoCoreError, ClientError) as error:
        raise PackageError(f"can't upload {archive.name} to bucket {bucket}: {error}") from error


def put(client: S3Client, path: Path, bucket: str, key: str) -> bool:
    """Upload a file unless the bucket holds the same octets under that key already; whether it was uploaded.

    Raises:
        BotoCoreError, ClientError: the bucket can't be reached or refuses.
    """
    digest = sha256(path)
    try:
        if client.head_object(Bucket=bucket, Key=key)["Metadata"].get(DIGEST) == digest:
            return False
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NotFound"}:
            raise
    with path.open("rb") as body:
        client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={DIGEST: digest})
    return True
