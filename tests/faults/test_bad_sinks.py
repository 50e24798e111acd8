"""Postfix's sink and the faults it can make: what was accepted is delivered, bounced or queued, and never twice."""

import re
import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from daemons import MtaDaemon, ScriptedHost, wait_until
from postfix import DiscardingPostfix
from sinks import PostfixSink

COUNT = 20
FAST = '[retry]\nfirst_delay = "100ms"\nmax_delay = "200ms"\nmax_age = "60s"\n'
FEW = "[egress]\nmax_connections_per_site = 3\n"


def send(mta: MtaDaemon, count: int = COUNT) -> set[str]:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(count):
            head = f"From: a@x.test\nMessage-ID: <{number}@x.test>\nX-Id: {number}\n"
            client.sendmail("a@x.test", [f"b{number}@y.test"], f"{head}\n.dot\n{'x' * 60}\n")
    return {str(number) for number in range(count)}


def numbers(mta: MtaDaemon, event: str) -> set[str]:
    """Which of our messages the log has such an event of, by the number in their recipient."""
    named = [address for entry in mta.events(event) for address in entry["recipients"] if address.startswith("b")]
    return {address.removeprefix("b").removesuffix("@y.test") for address in named}


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("fault", ["-r", "-q", "-Q"])
def test_who_defers_or_hangs_up_at_a_verb_leaves_all_mail_queued(
    new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[Any], Any], fault: str, verb: str
) -> None:
    sink = stopped_after(PostfixSink(fault, verb))
    mta = new_mta(smart_host=sink.port, more=FEW)
    accepted = send(mta)
    wait_until(lambda: mta.queue()["scheduled"] == COUNT, what="all are deferred")
    assert mta.queue()["messages"] == COUNT
    assert numbers(mta, "deferral") == accepted
    assert not numbers(mta, "delivery") | numbers(mta, "bounce")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_who_refuses_at_a_verb_gets_all_mail_bounced(
    new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[Any], Any], verb: str
) -> None:
    sink = stopped_after(PostfixSink("-f", verb))
    mta = new_mta(smart_host=sink.port, more=FEW)
    accepted = send(mta)
    wait_until(lambda: mta.queue()["messages"] == 0, what="all are bounced, and the notifications too")
    wait_until(lambda: numbers(mta, "bounce") == accepted)
    assert not numbers(mta, "delivery")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-p"],
        ["-e"],
        ["-8", "-E", "-N"],
        ["-w", "1"],
        # This one answers what came behind a message before it answers the message: found out, and remembered.
        ["-W", ".:1:50"],
        ["-H", "1", "-T", "1024"],
    ],
)
def test_who_is_slow_or_knows_little_gets_each_message_once(
    new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[Any], Any], options: list[str]
) -> None:
    sink = stopped_after(PostfixSink(*options))
    mta = new_mta(smart_host=sink.port)
    accepted = send(mta)
    wait_until(lambda: mta.queue()["messages"] == 0, seconds=60, what="all are delivered")
    assert sink.ids == dict.fromkeys(accepted, 1)


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("fault", [None, "421 4.3.2 closing", "451 4.3.0 broken", "what is this"])
def test_who_fails_now_and_then_gets_all_mail_in_the_end(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], verb: str, fault: str | None
) -> None:
    usual = "354 go" if verb == "data" else "250 ok"
    host = new_host(**{verb: [usual, usual, fault] * 5 + [usual]})
    mta = new_mta(smart_host=host.port, more=FAST + FEW)
    accepted = send(mta)
    wait_until(lambda: mta.queue()["messages"] == 0, seconds=40, what="all are delivered")
    arrived = [message.partition(b"X-Id: ")[2].partition(b"\r\n")[0].decode() for message in host.messages]
    assert set(arrived) == accepted
    # The host kept a message whose dot it didn't answer well: each such fault may make one duplicate, and none else.
    assert len(arrived) - COUNT <= (5 if verb == "dot" else 0)


def test_postfix_takes_each_message_once_and_finds_nothing_to_complain_of(
    new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[Any], Any]
) -> None:
    postfix = stopped_after(DiscardingPostfix(smtpd_junk_command_limit="1", smtpd_soft_error_limit="1"))
    mta = new_mta(smart_host=postfix.port, more=FEW)
    accepted = send(mta, 60)
    wait_until(lambda: mta.queue()["messages"] == 0, what="all are delivered")
    wait_until(lambda: len(postfix.message_ids) == 60)
    assert postfix.message_ids == {f"{number}@x.test": 1 for number in accepted}
    assert not mta.events("deferral")
    trouble = re.search("warning|improper command pipelining|lost connection after (?!CONNECT)|too many", postfix.log)
    assert trouble is None, postfix.log
