"""Mail hosts that cut, refuse or break at each verb: the message waits, is never lost, and arrives once."""

import smtplib
from collections.abc import Callable

import pytest
from daemons import MtaDaemon, ScriptedHost, wait_until

FAST = '[retry]\nfirst_delay = "100ms"\nmax_delay = "200ms"\nmax_age = "60s"\n'


FAULTS = [None, "421 4.3.2 closing", "451 4.3.0 broken", "what is this"]


@pytest.mark.parametrize("verb", ["banner", "ehlo", "mail", "rcpt", "data"])
def test_every_fault_at_a_verb_is_a_deferral(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], verb: str
) -> None:
    usual = {"banner": "220 hi", "ehlo": "250-x\r\n250 PIPELINING", "data": "354 go"}.get(verb, "250 ok")
    host = new_host(**{verb: [*FAULTS, usual]})
    mta = new_mta(smart_host=host.port, more=FAST)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "X-Id: 1\n\nx\n")
    wait_until(lambda: host.messages and mta.queue()["messages"] == 0)
    assert len(host.messages) == 1
    # Who answers EHLO with 451 is asked with HELO: that one is no fault, and the rest is never reached. Who breaks at
    # the MAIL of a connection that was used before has looked at nothing: another connection is tried at once.
    assert len(mta.events("deferral")) == {"ehlo": 2, "mail": 3}.get(verb, len(FAULTS))


def test_a_connection_cut_at_the_dot_is_tried_again(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(dot=[None, "250 ok"])
    mta = new_mta(smart_host=host.port, more=FAST)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "X-Id: 1\n\nx\n")
    wait_until(lambda: mta.queue()["messages"] == 0 and mta.events("delivery"))
    assert len(host.messages) == 2


def test_broken_tls_falls_back_to_plain_and_is_remembered(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(ehlo="250-x\r\n250-STARTTLS\r\n250 PIPELINING", starttls="220 go")
    mta = new_mta(smart_host=host.port)
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "X-Id: 1\n\nx\n")
    wait_until(lambda: mta.events("delivery"))
    assert mta.events("delivery")[0]["tls"] is False
    assert host.commands.count("STARTTLS") == 1
