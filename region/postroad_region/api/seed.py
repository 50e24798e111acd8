"""What an AWS account has before anyone creates a thing: the base AMI. moto reads it from a file when it is first
imported.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

BASE_AMI = "ami-0ba5e000000000012"
ACCOUNT = "123456789012"
REGION = "us-east-1"


def prepare(folder: Path) -> None:
    """Tell moto which images exist; call it before moto is imported.

    The box holds one image, Debian 12 (`hypervisor/image`), under a fixed id that stack settings name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = folder / "images.json"
    images.write_text(
        json.dumps(
            [
                {
                    "ami_id": BASE_AMI,
                    "architecture": "x86_64",
                    "creation_date": "2026-01-01T00:00:00.000Z",
                    "description": "Debian 12, as the region in a box boots it",
                    "hypervisor": "xen",
                    "image_location": "amazon/postroad-base-bookworm",
                    "image_type": "machine",
                    "name": "postroad-base-bookworm",
                    "owner_id": ACCOUNT,
                    "platform": "",
                    "public": True,
                    "root_device_name": "/dev/xvda",
                    "root_device_type": "ebs",
                    "sriov": "simple",
                    "state": "available",
                    "virtualization_type": "hvm",
                }
            ]
        )
    )
    os.environ["MOTO_AMIS_PATH"] = str(images)
    # Calls to other hosts are never made in an account's name: unknown services answer an error instead.
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
