"""Bucket policies, statement by statement."""

from typing import Any

import pytest
from postroad_region.api.bucket_policy import verdict

BUCKET = "arn:aws:s3:::artifacts"
OBJECT = f"{BUCKET}/apt/Release"
THROUGH_ENDPOINT = {
    "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*",
    "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1"]}},
}  # fmt: skip
TLS = {
    "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringNotEquals": {"aws:SourceVpce": ["vpce-1"]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "resource", "context", "expected"),
    [
        ("s3:GetObject", OBJECT, {"aws:SourceVpce": "vpce-1", "aws:SecureTransport": "false"}, "allow"),
        ("s3:GetObject", OBJECT, {"aws:SourceVpce": "vpce-2", "aws:SecureTransport": "false"}, "deny"),
        ("s3:GetObject", OBJECT, {"aws:SecureTransport": "false"}, "deny"),
        ("s3:GetObject", OBJECT, {"aws:SecureTransport": "true"}, "none"),
        ("s3:PutObject", OBJECT, {"aws:SourceVpce": "vpce-1", "aws:SecureTransport": "false"}, "none"),
        ("s3:PutObject", OBJECT, {"aws:SecureTransport": "true"}, "none"),
        ("s3:GetObject", "arn:aws:s3:::other/apt/Release", {"aws:SourceVpce": "vpce-1"}, "none"),
    ],
)
def test_the_artifacts_bucket(action: str, resource: str, context: dict[str, str], expected: str) -> None:
    assert verdict({"Statement": [THROUGH_ENDPOINT, TLS]}, action, resource, context) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, "allow"),
        ({"Effect": "Deny", "NotAction": "s3:Put*", "Resource": "*"}, "deny"),
        ({"Effect": "Deny", "Action": "*", "NotResource": f"{BUCKET}/*"}, "none"),
        (
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "x"}}},
            "none",
        ),
        ({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "x"}}}, "deny"),
    ],
)
def test_elements_and_unknown_conditions(statement: dict[str, Any], expected: str) -> None:
    assert verdict({"Statement": statement}, "s3:GetObject", OBJECT, {}) == expected
