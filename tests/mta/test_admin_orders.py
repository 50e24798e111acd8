"""Operators and queued mail: suspended, lifted, bounced, rebound, looked at; over the admin port of real processes."""

import json
import os
import smtplib
import subprocess
import urllib.error
from collections.abc import Callable
from typing import Any

import pytest
from daemons import BIN, ChoosySink, MtaDaemon, wait_until


@pytest.fixture
def choosy(stopped_after: Callable[[Any], Any]) -> ChoosySink:
    made: ChoosySink = stopped_after(ChoosySink())
    made.start()
    return made


@pytest.fixture
def mta(new_mta: Callable[..., MtaDaemon], choosy: ChoosySink) -> MtaDaemon:
    return new_mta(smart_host=choosy.port)


def send(mta: MtaDaemon, *recipients: str) -> str:
    """The queue id of a message."""
    with smtplib.SMTP("127.0.0.1", mta.port) as session:
        session.helo("client.test")
        session.mail("a@x.test")
        for recipient in recipients:
            session.rcpt(recipient)
        code, text = session.data(b"X-Id: 1\r\n\r\nx\r\n")
    assert code == 250
    return text.decode().split()[-1]


def ask(mta: MtaDaemon, method: str, path: str, body: Any = None) -> Any:
    return json.loads(mta.get(path, method=method, body=body))


def refused(mta: MtaDaemon, path: str, body: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        mta.get(path, method="POST", body=body)
    assert caught.value.code == 400
    return str(json.loads(caught.value.read())["error"])


def postroad(mta: MtaDaemon, *words: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"POSTROAD_ADMIN": f"http://{mta.admin}", "COLUMNS": "200"}
    return subprocess.run([BIN / "postroad", *words], env=variables, capture_output=True, text=True, timeout=60)


def test_mail_is_suspended_looked_at_and_goes_on(mta: MtaDaemon, choosy: ChoosySink) -> None:
    done = postroad(mta, "suspend", "--domain", "Y.test", "--for", "1h", "--reason", "their disk is full")
    assert done.returncode == 0, done
    (order,) = ask(mta, "GET", "/orders")["orders"]
    assert (order["action"], order["domain"], order["reason"]) == ("suspend", "y.test", "their disk is full")
    assert order["until"] - order["since"] == pytest.approx(3600, abs=5)
    id = send(mta, "now1@y.test", "now2@z.test")
    wait_until(lambda: choosy.envelopes, what="the other domain's mail is delivered")
    shown = ask(mta, "GET", f"/message?id={id}")
    (delivery,) = shown["deliveries"]
    assert (delivery["state"], delivery["order"], delivery["attempts"]) == ("suspended", order["id"], 0)
    assert shown["finished"] == ["now2@z.test"]
    listed = postroad(mta, "orders")
    assert order["id"] in listed.stdout
    assert "their disk is full" in listed.stdout
    traced = postroad(mta, "message", id)
    assert "now1@y.test" in traced.stdout
    assert "suspended" in traced.stdout
    lifted = postroad(mta, "lift", order["id"])
    assert "1 delivery is due now" in lifted.stdout
    wait_until(lambda: len(choosy.envelopes) == 2)
    assert ask(mta, "GET", "/orders") == {"orders": []}


def test_an_order_survives_a_kill(mta: MtaDaemon) -> None:
    assert postroad(mta, "suspend", "--domain", "y.test", "--for", "1h", "--reason", "r").returncode == 0
    before = ask(mta, "GET", "/orders")
    mta.kill()
    mta.start()
    assert ask(mta, "GET", "/orders") == before


def test_mail_is_bounced_with_the_reason(mta: MtaDaemon) -> None:
    id = send(mta, "later1@y.test")
    wait_until(lambda: mta.queue()["scheduled"] == 1)
    done = postroad(mta, "bounce", "--domain", "y.test", "--for", "10m", "--reason", "the list was wrong")
    assert "1 delivery" in done.stdout
    wait_until(lambda: mta.events("bounce"))
    (event,) = mta.events("bounce")
    assert event["queue_id"] == id
    assert "the list was wrong" in event["reply"]


def test_the_largest_queues_come_first(mta: MtaDaemon) -> None:
    for number in range(3):
        send(mta, f"later{number}@y.test")
    send(mta, "later9@z.test")
    wait_until(lambda: mta.queue()["scheduled"] == 4)
    names = [row["name"] for row in ask(mta, "GET", "/queue/top?by=domain")["queues"]]
    assert names == [["y.test"], ["z.test"]]
    shown = postroad(mta, "top", "--by", "reply").stdout
    assert "450 4.2.0 later" in shown
    wrong = postroad(mta, "top", "--by", "colour")
    assert wrong.returncode == 1
    assert "by is one of" in wrong.stderr


def test_queued_mail_gets_another_tenant(mta: MtaDaemon) -> None:
    id = send(mta, "later1@y.test")
    wait_until(lambda: mta.queue()["scheduled"] == 1)
    done = postroad(mta, "rebind", "--domain", "y.test", "--to-tenant", "acme")
    assert "1 message" in done.stdout
    assert ask(mta, "GET", f"/message?id={id}")["tenant"] == "acme"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"action": "suspend", "reason": "r", "seconds": 60}, "name at least one of tenant"),
        ({"action": "suspend", "reason": "r", "seconds": 0, "domain": "y"}, "seconds"),
        ({"action": "stop", "reason": "r", "seconds": 60, "domain": "y"}, "action"),
        ({"action": "suspend", "seconds": 60, "domain": "y"}, "reason"),
        ({"action": "suspend", "reason": "r", "seconds": 60, "dom": "y"}, "dom"),
        ({"action": "suspend", "reason": "r", "seconds": 60, "source": "nobody"}, "no source is named 'nobody'"),
    ],
)
def test_what_cannot_be_ordered_is_refused_in_a_line(mta: MtaDaemon, body: dict[str, Any], problem: str) -> None:
    assert problem in refused(mta, "/orders", body)


def test_an_order_or_message_that_is_not_there_is_one_line(mta: MtaDaemon) -> None:
    lifted = postroad(mta, "lift", "abc")
    assert lifted.returncode == 1
    assert "no order abc stands" in lifted.stderr
    traced = postroad(mta, "message", "abc")
    assert traced.returncode == 1
    assert "no message 'abc' is queued" in traced.stderr


def test_the_port_describes_itself(mta: MtaDaemon) -> None:
    document = ask(mta, "GET", "/openapi.json")
    assert {"/orders", "/orders/lift", "/message", "/queue/top", "/drain", "/flush", "/rebind"} <= set(
        document["paths"]
    )
