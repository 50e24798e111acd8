"""All providers together, and the operator's interface, without sockets."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world.definition import World
from postroad_region.world.http import BadRequestError, Request
from postroad_region.world.internet import Internet
from postroad_region.world.operator import Operator
from postroad_region.world.publication import failing_providers, host_keys, published_zones
from postroad_region.world.verdict import Verdict

WORLD = World.model_validate(
    {
        "feedback_loops": [{"domain": "postroad.test", "address": "fbl@postroad.test"}],
        "recipients": [{"match": "bounce-*", "bounce": {}}, {"match": "complain-*", "complaint": {}}],
        "providers": [
            {
                "name": name,
                "domain": f"{name}.test",
                "name_server": "198.51.100.54",
                "mx": [{"host": f"mx.{name}.test", "address": f"198.51.100.{25 + number}"}],
                "dane": "right",
                "feedback": name != "gmail",
            }
            for number, name in enumerate(("gmail", "yahoo"))
        ],
    }
)


@pytest.fixture
def make(tmp_path: Path, resolver: Any) -> Callable[[], Internet]:
    return lambda: Internet(WORLD, state=tmp_path / "world", ca=tmp_path / "ca", resolver=resolver)


async def accept(internet: Internet, recipient: str, *, sender: str = "a@postroad.test", head: bytes = b"") -> str:
    provider = recipient.partition("@")[2].removesuffix(".test")
    mailboxes = internet.mailboxes[provider]
    content = head + b"Subject: x\r\n\r\nx\r\n"
    outcome = await mailboxes.message("198.18.113.5", "a.test", sender, [recipient], content, tls=True)
    return outcome.reply[:3]


async def ask(internet: Internet, path: str, method: str = "GET", **query: str) -> Any:
    return await Operator(internet).respond(Request(method, path, query))


async def test_a_ledger_of_one_file_is_taken_up(make: Callable[[], Internet], tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    line = Verdict(at=1.0, provider="gmail", source="198.18.113.5", verdict="accepted", code=250).line()
    (tmp_path / "world/ledger.jsonl").write_bytes(line * 3)
    assert make().ledger.counts.table([])["verdicts"] == {"accepted": 3}
    assert make().ledger.counts.table([])["verdicts"] == {"accepted": 3}


async def test_a_provider_that_is_gone_from_the_file_keeps_its_counts(make: Callable[[], Internet]) -> None:
    first = make()
    first.ledger.append([Verdict(at=1.0, provider="hotmail", source="198.18.113.5", verdict="accepted", code=250)])
    assert make().ledger.counts.table([])["verdicts"] == {"accepted": 1}


async def test_bounces_and_complaints_wait_in_the_queue_over_a_restart(make: Callable[[], Internet]) -> None:
    internet = make()
    assert await accept(internet, "bounce-1@gmail.test") == "250"
    assert await accept(internet, "complain-1@yahoo.test") == "250"
    assert len(make().courier.queue) == 2


async def test_nobody_gets_a_bounce_of_a_bounce(make: Callable[[], Internet]) -> None:
    internet = make()
    assert await accept(internet, "bounce-1@gmail.test", sender="") == "250"
    assert len(internet.courier.queue) == 0


@pytest.mark.parametrize(
    ("recipient", "sender", "head", "to"),
    [
        ("complain-1@yahoo.test", "b@bounces.postroad.test", b"", "fbl@postroad.test"),
        ("complain-1@yahoo.test", "a@other.test", b"From: a@news.postroad.test\r\n", "fbl@postroad.test"),
        (
            "complain-1@yahoo.test",
            "a@other.test",
            b"DKIM-Signature: v=1; a=rsa-sha256;\r\n d=postroad.test; s=x\r\n",
            "fbl@postroad.test",
        ),
        ("complain-1@yahoo.test", "a@other.test", b"", ""),
        ("complain-1@yahoo.test", "a@evilpostroad.test", b"", ""),
        ("complain-1@gmail.test", "a@postroad.test", b"", ""),
    ],
)
async def test_a_complaint_goes_to_who_registered(
    make: Callable[[], Internet], recipient: str, sender: str, head: bytes, to: str
) -> None:
    internet = make()
    await accept(internet, recipient, sender=sender, head=head)
    entry = internet.courier.queue.take(internet.clock.now() + 10_000)
    assert entry is not None
    assert (entry.kind, entry.to) == ("complaint", to)


async def test_zones_are_published_with_the_keys_that_the_hosts_use(
    make: Callable[[], Internet], tmp_path: Path
) -> None:
    before = published_zones(WORLD, tmp_path / "world")
    make()
    assert published_zones(WORLD, tmp_path / "world") == before
    digest = host_keys(tmp_path / "world").digest("mx.gmail.test")
    assert f"_25._tcp.mx.gmail.test. 300 IN TLSA 3 1 1 {digest}" in before[0].records


async def test_a_provider_whose_dns_fails_is_told_to_the_daemon(make: Callable[[], Internet], tmp_path: Path) -> None:
    internet = make()
    assert failing_providers(tmp_path / "world") == []
    following = asyncio.create_task(internet._follow_incidents())
    try:
        await ask(internet, "/incidents", "POST", kind="dns-failure", provider="yahoo", duration="1h")
        async with asyncio.timeout(5):
            while failing_providers(tmp_path / "world") != ["yahoo"]:  # noqa: ASYNC110  a file has no event
                await asyncio.sleep(0.01)
        answered = {zone.name: zone.answered for zone in published_zones(WORLD, tmp_path / "world")}
        assert answered == {"gmail.test": True, "yahoo.test": False}
    finally:
        following.cancel()
        for host in internet._hosts.values():
            host.close()


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_a_spoilt_word_of_the_world_fails_no_zone(tmp_path: Path, content: str) -> None:
    (tmp_path / "failing-zones.json").write_text(content)
    assert failing_providers(tmp_path) == []


async def test_messages_are_read_on_from_the_position_that_was_told(make: Callable[[], Internet]) -> None:
    internet = make()
    await accept(internet, "a@gmail.test")
    first = await ask(internet, "/messages")
    assert len([line async for line in first.lines]) == 1
    await accept(internet, "b@gmail.test")
    more = await ask(internet, "/messages", after=first.headers["Ledger-Position"])
    assert [json.loads(line)["recipient"] async for line in more.lines] == ["b@gmail.test"]


async def test_providers_are_shown_with_their_hosts(make: Callable[[], Internet]) -> None:
    shown = (await ask(make(), "/providers")).content["yahoo"]
    assert shown["hosts"]["mx.yahoo.test"] == {
        "address": "198.51.100.26",
        "preference": 10,
        "tls": "valid",
        "dane": "right",
        "listens": False,
    }
    json.dumps(shown)


async def test_an_incident_may_come_as_json(make: Callable[[], Internet]) -> None:
    internet = make()
    body = b'{"kind": "blocklist", "sources": ["198.18.113.5"], "duration": "2h"}'
    begun = await Operator(internet).respond(Request("POST", "/incidents", {}, "", body))
    assert begun.content["sources"] == ("198.18.113.5",)
    assert (await ask(internet, f"/incidents/{begun.content['id']}", "DELETE")).status == HTTPStatus.OK
    assert (await ask(internet, "/incidents/7", "DELETE")).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "reason"),
    [
        ("POST", "/incidents", {}, b"{", "the body is no JSON"),
        ("POST", "/incidents", {}, b"[]", "the body is no JSON object"),
        ("POST", "/incidents", {"kind": "slow"}, b"", "duration: "),
        ("POST", "/incidents", {"kind": "outage", "duration": "1", "host": "x.test"}, b"", "none of mx.gmail.test"),
        ("GET", "/messages", {"since": "x"}, b"", "since: 'x'"),
        ("GET", "/messages", {"after": "x"}, b"", "after: 'x' is no position"),
        ("POST", "/clock", {"advance": "soon"}, b"", "is no span of time"),
        ("POST", "/feedback-loops", {"domain": "a.test", "address": "b"}, b"", "address: 'b' is no mail address"),
    ],
)
async def test_a_wrong_order_is_refused_with_the_reason(
    make: Callable[[], Internet], method: str, path: str, query: dict[str, str], body: bytes, reason: str
) -> None:
    with pytest.raises(BadRequestError) as raised:
        await Operator(make()).respond(Request(method, path, query, "", body))
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_who_registers_with_the_operator_comes_first_and_stays_over_a_restart(
    make: Callable[[], Internet],
) -> None:
    await ask(make(), "/feedback-loops", "POST", domain="postroad.test", address="other@postroad.test")
    internet = make()
    assert [each["address"] for each in (await ask(internet, "/feedback-loops")).content] == ["other@postroad.test"]
    internet.reset()
    assert [each["address"] for each in (await ask(make(), "/feedback-loops")).content] == ["fbl@postroad.test"]
