"""What a provider answers, without sockets."""

import errno
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world.definition import Provider
from postroad_region.world.ledger import Ledger, Query, Verdict
from postroad_region.world.provider import Mailboxes

SOURCE = "198.18.113.5"
PROVIDER = Provider.model_validate(
    {
        "name": "gmail",
        "domain": "gmail.test",
        "name_server": "198.51.100.54",
        "mx": [{"host": "mx.gmail.test", "address": "198.51.100.25"}],
        "recipients": [
            {"match": "unknown-*", "verdict": "unknown", "reply": "550 5.1.1 No such user"},
            {"match": "late-*", "verdict": "greylisted", "reply": "451 4.7.1 Later", "first_tries": 2},
        ],
        "limits": {
            "messages_per_hour": {"count": 3, "reply": "421 4.7.0 Too much"},
            "connections": {"count": 2, "reply": "421 4.7.0 Too many"},
        },
    }
)


class Case:
    def __init__(self, folder: Path, resolver: Any) -> None:
        self.now = 1_000_000.0
        self.file = folder / "ledger"
        self.resolver = resolver
        self.restart()

    def restart(self) -> None:
        self.mailboxes = Mailboxes(PROVIDER, hour=3600, resolver=self.resolver, clock=lambda: self.now)
        self.ledger = Ledger(self.file, replay=self.mailboxes.replay)
        self.mailboxes.record_in(self.ledger)

    async def send(self, *recipients: str, content: bytes = b"Subject: x\r\n\r\nx\r\n", source: str = SOURCE) -> str:
        if (refusal := self.mailboxes.sender(source, "a@postroad.test")) is not None:
            return refusal
        taken = list(recipients or ("b@gmail.test",))
        return await self.mailboxes.message(source, "ehlo.test", "a@postroad.test", taken, content, tls=False)

    def recorded(self, **query: Any) -> list[Verdict]:
        return list(self.ledger.search(Query(**query)))


@pytest.fixture
def case(tmp_path: Path, resolver: Any) -> Case:
    return Case(tmp_path, resolver)


@pytest.mark.parametrize("recipient", ["b@gmail.test", "anyone+tag@GMAIL.test", "xunknown-1@gmail.test"])
def test_every_other_recipient_is_accepted(case: Case, recipient: str) -> None:
    assert case.mailboxes.recipient(SOURCE, "a@postroad.test", recipient) is None


@pytest.mark.parametrize("recipient", ["unknown-1@gmail.test", "UNKNOWN-x@gmail.test"])
def test_an_unknown_recipient_is_refused_and_recorded(case: Case, recipient: str) -> None:
    assert case.mailboxes.recipient(SOURCE, "a@postroad.test", recipient) == "550 5.1.1 No such user"
    assert [(each.verdict, each.code, each.recipient) for each in case.recorded()] == [("unknown", 550, recipient)]


@pytest.mark.parametrize("recipient", ["b@yahoo.test", "b@mx.gmail.test", "postmaster"])
def test_mail_for_others_is_not_relayed(case: Case, recipient: str) -> None:
    assert (case.mailboxes.recipient(SOURCE, "a@postroad.test", recipient) or "").startswith(
        "550 5.7.1 Relaying denied"
    )


def test_the_first_tries_of_each_sender_and_recipient_are_deferred(case: Case) -> None:
    tries = [case.mailboxes.recipient(SOURCE, "a@postroad.test", "late-1@gmail.test") for _ in range(3)]
    assert tries == ["451 4.7.1 Later", "451 4.7.1 Later", None]
    assert case.mailboxes.recipient(SOURCE, "other@postroad.test", "late-1@gmail.test") == "451 4.7.1 Later"
    assert case.mailboxes.recipient("198.18.113.6", "a@postroad.test", "late-1@gmail.test") == "451 4.7.1 Later"


def test_tries_are_known_after_a_restart(case: Case) -> None:
    for _ in range(2):
        case.mailboxes.recipient(SOURCE, "a@postroad.test", "late-1@gmail.test")
    case.restart()
    assert case.mailboxes.recipient(SOURCE, "a@postroad.test", "late-1@gmail.test") is None


async def test_a_source_beyond_its_hourly_limit_is_refused_until_the_hour_is_over(case: Case) -> None:
    assert (await case.send("b@gmail.test", "c@gmail.test"))[:3] == "250"
    assert (await case.send())[:3] == "250"
    assert await case.send() == "421 4.7.0 Too much"
    assert (await case.send(source="198.18.113.6"))[:3] == "250"
    case.restart()
    assert await case.send() == "421 4.7.0 Too much"
    case.now += 3661
    assert (await case.send())[:3] == "250"
    assert [each.verdict for each in case.recorded(verdict="rate-limited")] == ["rate-limited"] * 2


async def test_clearing_forgets_limits_and_tries(case: Case) -> None:
    await case.send("b@gmail.test", "c@gmail.test", "d@gmail.test")
    case.mailboxes.clear()
    assert (await case.send())[:3] == "250"


def test_too_many_connections_of_a_source_are_refused(case: Case) -> None:
    for _ in range(2):
        case.mailboxes.connected(SOURCE)
        assert case.mailboxes.greet(SOURCE) is None
    case.mailboxes.connected(SOURCE)
    assert case.mailboxes.greet(SOURCE) == "421 4.7.0 Too many"
    assert case.mailboxes.greet("198.18.113.6") is None
    case.mailboxes.disconnected(SOURCE)
    assert case.mailboxes.greet(SOURCE) is None


async def test_a_message_is_recorded_for_each_recipient_before_250(case: Case) -> None:
    content = (
        b"Received: from x\r\nmessage-id:\r\n <1@postroad.test>\r\nX-Postroad-Send: run-7-12\r\n"
        b"X-Postroad-Campaign: spring\r\nX-Postroad-Send: forged-1\r\n\r\nX-Postroad-Send: body-1\r\n"
    )
    reply = await case.send("b@gmail.test", "c@gmail.test", content=content)
    first, second = case.recorded()
    assert reply == f"250 2.0.0 OK {first.transaction}"
    assert first.transaction == second.transaction
    assert (first.message_id, first.send, first.batch, first.campaign) == (
        "<1@postroad.test>",
        "run-7-12",
        "run-7",
        "spring",
    )
    assert [first.recipient, second.recipient] == ["b@gmail.test", "c@gmail.test"]
    assert first.size == len(content)


async def test_spf_and_dkim_are_recorded_and_asked_once_a_minute(case: Case) -> None:
    case.resolver.texts = {"postroad.test": [b"v=spf1 ip4:198.18.113.5 -all"]}
    await case.send()
    await case.send()
    assert [(each.spf, each.dkim) for each in case.recorded()] == [("pass", "none")] * 2
    assert case.resolver.asked == ["postroad.test"]


async def test_a_message_that_cannot_be_recorded_is_deferred(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(case.ledger, "append", full)
    assert await case.send() == "452 4.3.1 Insufficient system storage"
