"""What a provider answers, without sockets."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world.clock import DAY, Clock
from postroad_region.world.definition import Incident, Provider
from postroad_region.world.definition.mailboxes import MailboxRule
from postroad_region.world.incidents import Incidents
from postroad_region.world.ledger import Ledger
from postroad_region.world.mailboxes import Delivered, Mailboxes, Outcome
from postroad_region.world.verdict import Query, Verdict

SOURCE, OTHER = "198.18.113.5", "198.18.113.6"
SENDER = "a@postroad.test"
PROVIDER: dict[str, Any] = {
    "name": "gmail",
    "domain": "gmail.test",
    "name_server": "198.51.100.54",
    "mx": [{"host": "mx.gmail.test", "address": "198.51.100.25"}],
    "recipients": [
        {"match": "unknown-*", "verdict": "unknown", "reply": "550 5.1.1 No such user"},
        {"match": "late-*", "verdict": "greylisted", "reply": "451 4.7.1 Later", "first_tries": 2},
    ],
}
LIMITS = {
    "messages_per_hour": {"count": 3, "reply": "421 4.7.0 Too much"},
    "connections": {"count": 2, "reply": "421 4.7.0 Too many"},
}
MESSAGE = b"From: a@postroad.test\r\nSubject: x\r\n\r\nx\r\n"


class Case:
    def __init__(self, folder: Path, resolver: Any, clock: Clock, time: Any, **changes: Any) -> None:
        self.resolver = resolver
        self.clock = clock
        self.time = time
        self.incidents = Incidents(folder / "incidents", [], clock)
        self.after: list[Delivered] = []
        self._folder = folder
        self._provider = Provider.model_validate(PROVIDER | changes)
        self.restart()

    def restart(self) -> None:
        self.mailboxes = Mailboxes(
            self._provider,
            rules=[MailboxRule(match="common-*", verdict="full")],
            clock=self.clock,
            resolver=self.resolver,
            incidents=self.incidents,
            after=self.after.append,
            real=self.time,
        )
        standings = self.mailboxes.standings
        self.ledger = Ledger(
            self._folder / "ledger",
            segment=20_000,
            state=standings.kept,
            restore=standings.restore,
            replay=standings.learn,
        )
        self.mailboxes.record_in(self.ledger)

    async def deliver(self, *recipients: str, content: bytes = MESSAGE, source: str = SOURCE) -> Outcome:
        taken = list(recipients or ("b@gmail.test",))
        for recipient in taken:
            if (refusal := self.mailboxes.recipient(source, SENDER, recipient)) is not None:
                return Outcome(refusal)
        return await self.mailboxes.message(source, "ehlo.test", SENDER, taken, content, tls=False)

    async def send(self, *recipients: str, **more: Any) -> str:
        if (refusal := self.mailboxes.sender(more.get("source", SOURCE), SENDER)) is not None:
            return refusal
        return (await self.deliver(*recipients, **more)).reply

    async def codes(self, count: int, **more: Any) -> set[str]:
        return {(await self.send(f"user{number}@gmail.test", **more))[:3] for number in range(count)}

    def recorded(self, **query: Any) -> list[Verdict]:
        return list(self.ledger.search(Query(**query)))


Make = Callable[..., Case]


@pytest.fixture
def make(tmp_path: Path, resolver: Any, clock: Clock, time: Any) -> Make:
    return lambda **changes: Case(tmp_path, resolver, clock, time, **changes)


@pytest.fixture
def case(make: Make) -> Case:
    return make()


@pytest.mark.parametrize("recipient", ["b@gmail.test", "anyone+tag@GMAIL.test", "xunknown-1@gmail.test"])
def test_every_other_recipient_is_accepted(case: Case, recipient: str) -> None:
    assert case.mailboxes.recipient(SOURCE, SENDER, recipient) is None


@pytest.mark.parametrize("recipient", ["unknown-1@gmail.test", "UNKNOWN-x@gmail.test"])
def test_an_unknown_recipient_is_refused_and_recorded(case: Case, recipient: str) -> None:
    assert case.mailboxes.recipient(SOURCE, SENDER, recipient) == "550 5.1.1 No such user"
    assert [(each.verdict, each.code, each.recipient) for each in case.recorded()] == [("unknown", 550, recipient)]


def test_common_rules_hold_too_with_the_provider_s_own_words(make: Make) -> None:
    case = make(replies={"full": "552 5.2.2 {recipient} has no space for {source} at {domain}"})
    reply = case.mailboxes.recipient(SOURCE, SENDER, "common-1@gmail.test")
    assert reply == f"552 5.2.2 common-1@gmail.test has no space for {SOURCE} at gmail.test"


def test_nothing_unprintable_of_a_recipient_comes_into_a_reply(make: Make) -> None:
    case = make(replies={"full": "552 5.2.2 {recipient}"})
    assert (
        case.mailboxes.recipient(SOURCE, SENDER, "common-ä\r250\x00@gmail.test") == "552 5.2.2 common-??250?@gmail.test"
    )


@pytest.mark.parametrize("recipient", ["b@yahoo.test", "b@mx.gmail.test", "postmaster"])
def test_mail_for_others_is_not_relayed(case: Case, recipient: str) -> None:
    assert (case.mailboxes.recipient(SOURCE, SENDER, recipient) or "").startswith("550 5.7.1 Relaying denied")


def test_hosted_domains_have_the_same_mailboxes(make: Make) -> None:
    case = make(hosted_domains=["company.test"])
    assert case.mailboxes.recipient(SOURCE, SENDER, "b@company.test") is None
    assert case.mailboxes.recipient(SOURCE, SENDER, "unknown-b@company.test") == "550 5.1.1 No such user"


def test_the_first_tries_of_each_sender_and_recipient_are_deferred(case: Case) -> None:
    tries = [case.mailboxes.recipient(SOURCE, SENDER, "late-1@gmail.test") for _ in range(3)]
    assert tries == ["451 4.7.1 Later", "451 4.7.1 Later", None]
    assert case.mailboxes.recipient(SOURCE, "other@postroad.test", "late-1@gmail.test") == "451 4.7.1 Later"
    assert case.mailboxes.recipient(OTHER, SENDER, "late-1@gmail.test") == "451 4.7.1 Later"


def test_tries_are_known_after_a_restart(case: Case) -> None:
    for _ in range(2):
        case.mailboxes.recipient(SOURCE, SENDER, "late-1@gmail.test")
    case.restart()
    assert case.mailboxes.recipient(SOURCE, SENDER, "late-1@gmail.test") is None


def test_a_share_of_the_recipients_is_always_the_same_one(make: Make) -> None:
    case = make(recipients=[{"share": 0.2, "verdict": "unknown"}])
    recipients = [f"user{number}@gmail.test" for number in range(1000)]
    refused = [each for each in recipients if case.mailboxes.recipient(SOURCE, SENDER, each)]
    assert 150 < len(refused) < 250
    assert refused == [each for each in recipients if case.mailboxes.recipient(OTHER, "x@y.test", each.upper())]


def test_a_share_does_not_touch_names_with_a_fate_of_their_own(make: Make) -> None:
    case = make(recipients=[{"share": 0.9, "verdict": "unknown"}, {"match": "x-*", "verdict": "disabled"}])
    replies = {
        case.mailboxes.recipient(SOURCE, SENDER, f"{name}-{n}@gmail.test")
        for name in ("x", "common")
        for n in range(50)
    }
    assert {(reply or "")[:9] for reply in replies} == {"550 5.2.1", "452 4.2.2"}


async def test_a_source_beyond_its_hourly_limit_is_refused_until_the_hour_is_over(make: Make) -> None:
    case = make(limits=LIMITS)
    assert (await case.send("b@gmail.test", "c@gmail.test"))[:3] == "250"
    assert (await case.send())[:3] == "250"
    assert await case.send() == "421 4.7.0 Too much"
    assert (await case.send(source=OTHER))[:3] == "250"
    case.restart()
    assert await case.send() == "421 4.7.0 Too much"
    case.time.now += 3661
    assert (await case.send())[:3] == "250"
    assert [each.verdict for each in case.recorded(verdict="rate-limited")] == ["rate-limited"] * 2


async def test_an_hour_is_the_world_s(make: Make) -> None:
    case = make(limits=LIMITS)
    case.clock.set_day(24)
    await case.send("b@gmail.test", "c@gmail.test", "d@gmail.test")
    assert (await case.send())[:3] == "421"
    case.time.now += 1.1
    assert (await case.send())[:3] == "250"
    assert case.recorded()[-1].clock == pytest.approx(case.clock.now())


async def test_a_rate_by_the_minute_holds(make: Make) -> None:
    case = make(limits={"messages_per_minute": {"count": 2}})
    assert [(await case.send())[:3] for _ in range(3)] == ["250", "250", "421"]
    case.time.now += 62
    assert (await case.send())[:3] == "250"


def test_a_connection_takes_so_many_messages_of_so_many_recipients(make: Make) -> None:
    limits = {"messages_per_connection": {"count": 2}, "recipients_per_message": {"count": 2}}
    case = make(limits=limits)
    refused = [case.mailboxes.sender(SOURCE, SENDER, earlier=number) for number in range(3)]
    assert refused[:2] == [None, None]
    assert (refused[2] or "").startswith("421 4.7.0 ")
    replies = [case.mailboxes.recipient(SOURCE, SENDER, "b@gmail.test", earlier=number) for number in range(3)]
    assert replies == [None, None, "452 4.5.3 Too many recipients"]


async def test_clearing_forgets_limits_and_tries(make: Make) -> None:
    case = make(limits=LIMITS)
    await case.send("b@gmail.test", "c@gmail.test", "d@gmail.test")
    case.mailboxes.clear()
    assert (await case.send())[:3] == "250"


def test_too_many_connections_of_a_source_are_refused(make: Make) -> None:
    case = make(limits=LIMITS)
    for _ in range(2):
        case.mailboxes.connected(SOURCE)
        assert case.mailboxes.greet(SOURCE) is None
    case.mailboxes.connected(SOURCE)
    assert case.mailboxes.greet(SOURCE) == "421 4.7.0 Too many"
    assert case.mailboxes.greet(OTHER) is None
    case.mailboxes.disconnected(SOURCE)
    assert case.mailboxes.greet(SOURCE) is None


def test_too_many_new_connections_in_a_minute_are_refused(make: Make) -> None:
    case = make(limits={"connections_per_minute": {"count": 2}})
    said = []
    for _ in range(3):
        case.mailboxes.connected(SOURCE)
        said.append((case.mailboxes.greet(SOURCE) or "250")[:3])
        case.mailboxes.disconnected(SOURCE)
    assert said == ["250", "250", "421"]
    case.time.now += 62
    case.mailboxes.connected(SOURCE)
    assert case.mailboxes.greet(SOURCE) is None


def test_without_tls_nothing_is_taken_where_it_is_required(make: Make) -> None:
    case = make(require_tls=True)
    assert (case.mailboxes.sender(SOURCE, SENDER) or "").startswith("530 5.7.0 ")
    assert case.mailboxes.sender(SOURCE, SENDER, secure=True) is None


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


async def test_the_from_domain_s_policy_decides(make: Make) -> None:
    case = make(checks={"dmarc": "enforce"})
    case.resolver.texts = {
        "_dmarc.postroad.test": [b"v=DMARC1; p=reject"],
        "_dmarc.soft.test": [b"v=DMARC1; p=quarantine"],
    }
    assert (await case.send()).startswith("550 5.7.26 ")
    assert (await case.send(content=MESSAGE.replace(b"postroad", b"soft"))).startswith("250 ")
    assert (await case.send(content=MESSAGE.replace(b"postroad", b"lax"))).startswith("250 ")
    assert [(each.verdict, each.dmarc, each.folder) for each in case.recorded()] == [
        ("dmarc", "", ""),
        ("accepted", "fail", "spam"),
        ("accepted", "none", ""),
    ]


async def test_a_policy_that_cannot_be_asked_for_defers(make: Make) -> None:
    case = make(checks={"dmarc": "enforce"})
    case.resolver.broken = {"_dmarc.postroad.test"}
    assert (await case.send()).startswith("451 4.7.24 ")


@pytest.mark.parametrize(
    ("pointers", "hosts", "code"),
    [
        ({SOURCE: ["mail-a.postroad.test."]}, {"mail-a.postroad.test.": [SOURCE]}, "250"),
        ({SOURCE: ["mail-a.postroad.test."]}, {"mail-a.postroad.test.": [OTHER]}, "550"),
        ({}, {}, "550"),
    ],
)
async def test_a_source_needs_a_name_that_leads_back(make: Make, pointers: Any, hosts: Any, code: str) -> None:
    case = make(checks={"reverse_name": "require"})
    case.resolver.pointers, case.resolver.hosts = pointers, hosts
    assert (await case.send())[:3] == code


async def test_a_cold_source_that_bursts_is_throttled_and_then_blocked_and_a_warmed_one_is_not(make: Make) -> None:
    case = make(reputation={"cold_volume": 20, "block_factor": 3})
    volume = 10
    for _ in range(4):  # a warm-up
        assert await case.codes(volume) == {"250"}
        case.clock.advance(DAY)
        volume *= 2
    assert await case.codes(150, source=SOURCE) == {"250"}
    replies = [await case.send(f"user{number}@gmail.test", source=OTHER) for number in range(100)]
    codes = [reply[:9] for reply in replies]
    assert codes == ["250 2.0.0"] * 20 + ["421 4.7.0"] * 41 + ["550 5.7.1"] * 39
    case.restart()
    assert (await case.send(source=OTHER))[:3] == "550"
    assert (await case.send(source=SOURCE))[:3] == "250"
    case.clock.advance(DAY)
    assert (await case.send(source=OTHER))[:3] == "250"


async def test_traps_unknown_recipients_and_complaints_cost_the_standing(make: Make) -> None:
    case = make(
        reputation={"cold_volume": 1000}, recipients=[*PROVIDER["recipients"], {"match": "trap-*", "trap": True}]
    )
    score = lambda: case.mailboxes.standings.table(case.clock.now())[SOURCE]["score"]  # noqa: E731
    assert await case.codes(100) == {"250"}
    assert score() == 0.3
    assert (await case.send("trap-1@gmail.test"))[:3] == "250"
    assert score() == pytest.approx(0.255)
    for number in range(20):
        await case.send(f"unknown-{number}@gmail.test")
    after = score()
    assert after < 0.15
    case.mailboxes.complained(SOURCE, SENDER, "user1@gmail.test", "t")
    assert score() < after
    before = case.mailboxes.standings.table(case.clock.now())
    case.restart()
    assert case.mailboxes.standings.table(case.clock.now()) == before


async def test_a_stranger_is_greylisted_until_it_comes_back(make: Make) -> None:
    case = make(greylist={"delay": 300, "trust_after": 2})
    assert (await case.send())[:3] == "451"
    case.clock.advance(299)
    assert (await case.send())[:3] == "451"
    case.restart()
    case.clock.advance(2)
    # From a neighbour: large senders don't come back from the same address.
    assert (await case.send(source="198.18.113.77"))[:3] == "250"
    assert (await case.send("c@gmail.test"))[:3] == "451"
    case.clock.advance(300)
    assert (await case.send("c@gmail.test"))[:3] == "250"
    assert (await case.send("d@gmail.test"))[:3] == "250", "after two it is trusted"
    assert (await case.send(source="198.18.112.5"))[:3] == "451"


async def test_a_long_ledger_gives_the_same_knowledge_after_a_restart(make: Make) -> None:
    case = make(reputation={"cold_volume": 10}, greylist={"delay": 0}, limits={"messages_per_hour": {"count": 10_000}})
    for number in range(300):
        await case.send(f"user{number % 50}@gmail.test", source=(SOURCE, OTHER)[number % 2])
    assert case.ledger.position().segment > 1
    known = case.mailboxes.standings.kept()
    case.restart()
    assert case.mailboxes.standings.kept() == known


FATES: list[dict[str, Any]] = [
    {"match": "slow-*", "late": 3},
    {"match": "before-*", "drop": "before"},
    {"match": "after-*", "drop": "after"},
    {"match": "bounce-*", "bounce": {}},
    {"match": "complain-*", "complaint": {}},
]


@pytest.mark.parametrize(
    ("recipient", "late", "cut", "recorded"),
    [
        ("slow-1@gmail.test", 3.0, False, [("accepted", "")]),
        ("before-1@gmail.test", 0.0, True, [("dropped", "")]),
        ("after-1@gmail.test", 0.0, True, [("accepted", "")]),
        ("bounce-1@gmail.test", 0.0, False, [("accepted", "bounce")]),
        ("complain-1@gmail.test", 0.0, False, [("accepted", "complaint")]),
    ],
)
async def test_mail_has_the_fate_of_its_mailbox(
    make: Make, recipient: str, late: float, cut: bool, recorded: list[tuple[str, str]]
) -> None:
    case = make(recipients=FATES)
    outcome = await case.deliver(recipient)
    assert (outcome.late, outcome.cut) == (late, cut)
    assert [(each.verdict, each.fate) for each in case.recorded()] == recorded
    assert len(case.after) == (recorded[0][0] == "accepted")


def incident(case: Case, **given: Any) -> None:
    case.incidents.begin(Incident.model_validate({"duration": "1h", **given}))


async def test_incidents_disturb_for_their_time(case: Case) -> None:
    incident(case, kind="blocklist", sources=["198.18.113.4/31"])
    assert (await case.send())[:9] == "550 5.7.1"
    assert (await case.send(source=OTHER))[:3] == "250"
    case.clock.advance(3601)
    assert (await case.send())[:3] == "250"
    assert [each.verdict for each in case.recorded()] == ["blocklisted", "accepted", "accepted"]


async def test_all_recipients_may_be_unknown_for_a_while(case: Case) -> None:
    incident(case, kind="unknown-recipients", reply="550 5.1.1 Nobody is here")
    assert await case.send() == "550 5.1.1 Nobody is here"
    case.clock.advance(3601)
    assert (await case.send())[:3] == "250"


async def test_the_provider_s_own_fault_costs_no_standing(make: Make) -> None:
    case = make(reputation={})
    await case.codes(100)
    incident(case, kind="unknown-recipients")
    assert await case.codes(100) == {"550"}
    case.restart()
    assert case.mailboxes.standings.table(case.clock.now())[SOURCE]["score"] == 0.3


async def test_a_share_of_the_recipients_may_be_unknown(case: Case) -> None:
    incident(case, kind="unknown-recipients", share=0.5)
    replies = [await case.send(f"user{number}@gmail.test") for number in range(100)]
    assert 30 < sum(reply[:3] == "550" for reply in replies) < 70
    again = [await case.send(f"user{number}@gmail.test") for number in range(100)]
    assert [reply[:3] for reply in again] == [reply[:3] for reply in replies]


async def test_an_incident_throttles_or_defers(case: Case) -> None:
    incident(case, kind="throttle", count=2, provider="gmail")
    assert [(await case.send())[:3] for _ in range(3)] == ["250", "250", "421"]
    assert case.incidents.end("1")
    incident(case, kind="defer", reply="451 4.3.2 Not now")
    assert await case.send() == "451 4.3.2 Not now"


async def test_an_incident_makes_replies_slow(case: Case) -> None:
    incident(case, kind="slow", delay=7)
    assert (await case.deliver()).late == 7


async def test_another_provider_s_incident_is_none(case: Case) -> None:
    incident(case, kind="unknown-recipients", provider="yahoo")
    assert (await case.send())[:3] == "250"
