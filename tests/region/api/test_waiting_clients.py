"""A client that waits, or makes others wait, is no matter of the others."""

import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from postroad_region.api import server


def connected(aws: Any) -> socket.socket:
    address = urlsplit(aws.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


HEAD = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/%b/aws4_request\r\n"
    b"Content-Type: %b\r\n%bContent-Length: 100\r\n%b\r\n"
)
SQS = HEAD % (b"sqs", b"application/x-amz-json-1.0", b"X-Amz-Target: AmazonSQS.ListQueues\r\n", b"")


def test_a_client_that_stops_within_its_request_holds_up_nobody(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_SECONDS", 1.0)
    with connected(aws) as silent:
        silent.sendall(SQS + b'{"half":')
        assert aws.ec2.describe_vpcs()["Vpcs"]
        assert silent.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_within_its_request_changes_nothing(aws: Any) -> None:
    with connected(aws) as leaving:
        leaving.sendall(SQS + b'{"half":')
    assert aws.ec2.describe_vpcs()["Vpcs"]


def test_a_body_is_asked_for_at_once(aws: Any) -> None:
    with connected(aws) as client:
        client.sendall(HEAD % (b"sqs", b"application/x-amz-json-1.0", b"", b"Expect: 100-continue\r\n"))
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")


def test_a_long_poll_waits_alone_and_ends_with_the_message(aws: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="long")["QueueUrl"]
    received: list[Any] = []

    def receive() -> None:
        received.extend(aws.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", []))

    poll = threading.Thread(target=receive)
    poll.start()
    for _ in range(3):
        assert aws.ec2.describe_vpcs()["Vpcs"]
    assert poll.is_alive()
    aws.sqs.send_message(QueueUrl=queue, MessageBody="here")
    poll.join(15)
    assert [message["Body"] for message in received] == ["here"]


def test_a_long_poll_without_a_message_ends_in_its_time(aws: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="empty")["QueueUrl"]
    began = time.monotonic()
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    assert time.monotonic() - began >= 1.0


def test_a_wait_that_aws_refuses_is_refused(aws: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="patient")["QueueUrl"]
    assert aws.refused(aws.sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=21) == "InvalidParameterValue"
