"""Draining with real processes: whatever fails on the way, each message is delivered once."""

import contextlib
import json
import os
import random
import smtplib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemons import BIN, ChoosySink, MtaDaemon, Relay, free_port, wait_until

MESSAGES = 2000
CLIENTS = 4
SAFE = "safe to terminate: 0 messages in the spool, no sessions"
SETTINGS = """
[drain]
accept_for = "0s"
batch_messages = 50
retry = "100ms"
timeout = "5s"
"""


class Fleet:
    """MTAs that deliver to one sink, and what they accepted."""

    def __init__(self, folder: Path, keep: Callable[[Any], Any]) -> None:
        self._folder = folder
        self._keep = keep
        self.sink: ChoosySink = keep(ChoosySink())
        self.sink.start()
        self.expected: set[tuple[str, str]] = set()
        self.mtas: list[MtaDaemon] = []

    def mta(self, *, spool: str = "./spool", more: str = SETTINGS, **options: Any) -> MtaDaemon:
        folder = self._folder / f"mta-{len(self.mtas)}"
        folder.mkdir()
        mta: MtaDaemon = self._keep(MtaDaemon(folder, smart_host=self.sink.port, spool=spool, more=more, **options))
        mta.start()
        self.mtas.append(mta)
        return mta

    def send(self, mta: MtaDaemon, count: int = MESSAGES, *, body: str = "x" * 70) -> None:
        """Mixed mail: for those who take it at once, those who take it later, and both."""
        numbers = iter(range(count))
        lock = threading.Lock()

        def client() -> None:
            with smtplib.SMTP("127.0.0.1", mta.port) as session:
                while True:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    recipients = [f"now{number}@y.test", f"later{number}@y.test", f"later{number}@z.test"]
                    recipients = [recipients[:1], recipients[1:], recipients, recipients[:2]][number % 4]
                    session.sendmail("a@x.test", recipients, f"X-Id: {number}\n\n{body}\n")
                    self.expected |= {(str(number), recipient) for recipient in recipients}

        clients = [threading.Thread(target=client) for _ in range(min(CLIENTS, count))]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()

    def settle(self, mta: MtaDaemon) -> None:
        """Wait until everything had its first attempt: what is left waits for its time."""
        wait_until(lambda: is_tried(mta.queue()), seconds=60, what="everything was tried once")

    def deliver_everything(self, *, duplicates: int = 0) -> None:
        """The sink takes everything now: each recipient got each message once."""
        self.sink.open = True
        for mta in self.mtas:
            # An attempt that the closed sink answered comes back after a flush, and would wait for its retry.
            self.settle(mta)
            mta.flush()
        wait_until(self._all_empty, seconds=60, what="all queues are empty")
        assert set(self.sink.delivered) == self.expected
        more = sum(count - 1 for count in self.sink.delivered.values())
        print(f"{len(self.expected)} deliveries expected, {more} twice")
        assert more <= duplicates

    def _all_empty(self) -> bool:
        return all(mta.queue()["messages"] == 0 for mta in self.mtas)


def is_tried(queue: dict[str, Any]) -> bool:
    return not (queue["ready"] or queue["in_flight"])


def moved(mta: MtaDaemon) -> float:
    with contextlib.suppress(OSError):
        return mta.metric('postroad_mta_messages_moved_total{direction="out",outcome="taken"}')
    return 0.0


def postroad(mta: MtaDaemon, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"POSTROAD_ADMIN": f"http://{mta.admin}", "COLUMNS": "200"} | environment
    return subprocess.run([BIN / "postroad", *words], env=variables, capture_output=True, text=True, timeout=120)


@pytest.fixture
def fleet(tmp_path: Path, stopped_after: Callable[[Any], Any]) -> Fleet:
    return Fleet(tmp_path, stopped_after)


@pytest.mark.parametrize("targets", [1, 2])
def test_mail_of_every_state_is_moved_while_it_is_being_delivered(fleet: Fleet, targets: int) -> None:
    source, *others = (fleet.mta() for _ in range(1 + targets))
    fleet.send(source)
    words = [word for target in others for word in ("--to", target.admin)]
    done = postroad(source, "drain", *words)
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1] == SAFE
    assert source.queue()["messages"] == 0
    assert source.drain_state()["moved"] == sum(
        other.metric('postroad_mta_messages_moved_total{direction="in",outcome="taken"}') for other in others
    )
    assert all(other.queue()["messages"] for other in others)
    assert fleet.sink.deferred
    fleet.deliver_everything()


def test_attempts_due_times_replies_and_ids_go_along(fleet: Fleet) -> None:
    source, target = fleet.mta(), fleet.mta()
    fleet.send(source, 4)
    fleet.settle(source)
    before = {item["domain"]: item for item in source.queue()["domains"]}
    source.drain(target.admin)
    wait_until(source.safe)
    for item in target.queue()["domains"]:
        was = before.pop(item["domain"])
        assert (item["recipients"], item["last_reply"]) == (was["recipients"], was["last_reply"])
        assert abs(item["next_attempt_in"] - was["next_attempt_in"]) < 30
    assert before == {}
    attempts = {event["queue_id"]: event["attempts"] for event in source.events("deferral")}
    fleet.deliver_everything()
    wait_until(lambda: target.events("delivery"))
    for event in target.events("delivery"):
        assert event["attempts"] == attempts[event["queue_id"]] + 1
    assert {event["queue_id"] for event in target.events("delivery")} <= {
        event["queue_id"] for event in source.events("reception")
    }


@pytest.mark.parametrize("seed", range(2))
def test_a_sender_that_is_killed_goes_on_where_it_was(fleet: Fleet, seed: int) -> None:
    chance = random.Random(seed)
    source, target = fleet.mta(), fleet.mta()
    fleet.send(source)
    fleet.settle(source)
    source.drain(target.admin)
    for _ in range(4):
        enough = chance.randrange(10, 300)
        wait_until(lambda enough=enough: moved(source) >= enough or source.safe(), what="some moved")  # type: ignore[misc]
        source.kill()
        source.start_unready()
    wait_until(source.safe, seconds=60, what="the drain ends")
    assert source.queue()["messages"] == 0
    fleet.deliver_everything()


@pytest.mark.parametrize("seed", range(2))
def test_a_receiver_that_is_killed_has_everything_once(fleet: Fleet, seed: int) -> None:
    chance = random.Random(seed)
    source, target = fleet.mta(), fleet.mta()
    fleet.send(source)
    fleet.settle(source)
    source.drain(target.admin)
    for _ in range(4):
        enough = moved(source) + chance.randrange(10, 300)
        wait_until(lambda enough=enough: moved(source) >= enough or source.safe(), what="some moved")  # type: ignore[misc]
        target.kill()
        target.start()
    wait_until(source.safe, seconds=60, what="the drain ends")
    fleet.deliver_everything()


@pytest.mark.parametrize("late", [False, True], ids=["answer-lost", "request-late"])
def test_an_answer_that_is_lost_makes_no_second_message(
    fleet: Fleet, stopped_after: Callable[[Any], Any], late: bool
) -> None:
    source, target = fleet.mta(), fleet.mta()
    relay = stopped_after(Relay(target.admin_port, lose=5, late=late))
    fleet.send(source, 400)
    fleet.settle(source)
    source.drain(f"127.0.0.1:{relay.port}")
    wait_until(source.safe, seconds=60, what="the drain ends")
    assert relay.lost >= 5
    assert target.metric('postroad_mta_messages_moved_total{direction="in",outcome="already"}') > 0
    fleet.deliver_everything()


def test_what_was_offered_without_an_answer_is_not_delivered_by_the_sender_also_after_a_kill(
    fleet: Fleet, stopped_after: Callable[[Any], Any]
) -> None:
    source, target = fleet.mta(), fleet.mta()
    relay = stopped_after(Relay(target.admin_port, lose=1_000_000))
    fleet.send(source, 40)
    fleet.settle(source)
    source.drain(f"127.0.0.1:{relay.port}")
    wait_until(lambda: relay.lost)
    relay.stop()
    source.kill()
    source.start_unready()
    source.get("/drain", method="DELETE")
    wait_until(source.ready)
    held = source.drain_state()["offered"]
    assert held > 0
    fleet.sink.open = True
    source.flush()
    target.flush()
    wait_until(lambda: source.queue()["messages"] == held and target.queue()["messages"] == 0)
    state = source.drain_state()
    assert state["offered"] == held
    assert any(f"{held} messages were offered, and it isn't known who has them" in why for why in state["waiting_for"])
    # The operator knows that the target is gone: its messages come back. Here it isn't, so they arrive twice.
    done = postroad(source, "drain", "--take-back", f"127.0.0.1:{relay.port}")
    assert f"{held} messages are delivered from here" in done.stdout
    fleet.deliver_everything(duplicates=2 * held)


def test_sigterm_during_a_drain_loses_nothing_and_the_next_process_goes_on(fleet: Fleet) -> None:
    source, target = fleet.mta(), fleet.mta()
    fleet.send(source)
    fleet.settle(source)
    source.drain(target.admin)
    wait_until(lambda: moved(source) > 100)
    source.terminate()
    assert source.wait() == 0
    source.start_unready()
    assert source.drain_state()["draining"]
    wait_until(source.safe, seconds=60, what="the drain ends")
    fleet.deliver_everything()


def test_a_drain_without_a_target_that_takes_mail_goes_on_delivering_and_says_why(fleet: Fleet) -> None:
    fleet.sink.open = True
    source, draining = fleet.mta(), fleet.mta()
    draining.drain()
    nobody = f"127.0.0.1:{free_port()}"
    source.drain(draining.admin, nobody)
    wait_until(lambda: {item["state"] for item in source.drain_state()["targets"]} == {"refuses", "unreachable"})
    state = source.drain_state()
    assert state["delivering"]
    assert {item["state"]: item["reason"] for item in state["targets"]}["refuses"] == "is draining itself"
    source.get("/drain", method="DELETE")
    wait_until(source.ready)
    fleet.sink.open = False
    fleet.send(source, 20)
    fleet.settle(source)
    done = postroad(source, "drain", "--to", draining.admin, "--timeout", "1s")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "not safe to terminate after 1 s: 15 messages in the spool; no target takes mail" in line
    fleet.deliver_everything()
    wait_until(source.safe)


def test_new_sessions_are_taken_for_a_while_and_then_get_421(fleet: Fleet) -> None:
    source = fleet.mta(more=SETTINGS.replace('accept_for = "0s"', 'accept_for = "2s"'))
    target = fleet.mta()
    early = smtplib.SMTP("127.0.0.1", source.port)
    busy = smtplib.SMTP("127.0.0.1", source.port)
    for verb in ("helo c", "mail from:<a@x.test>", "rcpt to:<later1@y.test>", "data"):
        code, _ = busy.docmd(verb)
    assert code == 354
    source.drain(target.admin)
    assert not source.ready()
    early.sendmail("a@x.test", ["later0@y.test"], "X-Id: 0\n\nx\n")
    with smtplib.SMTP("127.0.0.1", source.port) as routed:
        routed.sendmail("a@x.test", ["later2@y.test"], "X-Id: 2\n\nx\n")
    assert early.getreply()[0] == 421
    assert not source.safe()
    busy.send(b"X-Id: 1\r\n\r\nx\r\n.\r\n")
    assert busy.getreply()[0] == 250
    assert busy.getreply()[0] == 421
    with socket.create_connection(("127.0.0.1", source.port)) as refused:
        assert refused.makefile("rb").readline().startswith(b"421 4.3.2")
    wait_until(source.safe)
    fleet.expected = {(str(number), f"later{number}@y.test") for number in range(3)}
    fleet.deliver_everything()


def test_a_drain_survives_a_restart_and_is_cancelled(fleet: Fleet) -> None:
    source, target = fleet.mta(), fleet.mta()
    assert postroad(source, "drain", "--to", target.admin).returncode == 0
    source.stop()
    source.start_unready()
    assert source.metric("postroad_mta_draining") == 1
    assert not source.ready()
    status = postroad(source, "drain", "--status")
    wait_until(lambda: postroad(source, "drain", "--status").returncode == 0)
    assert postroad(source, "drain", "--status").stdout.splitlines()[-1] == SAFE
    assert json.loads(postroad(source, "drain", "--status", "--json").stdout)["safe"] is True
    assert status.returncode in (0, 1)
    assert "cancelled" in postroad(source, "drain", "--cancel").stdout
    wait_until(source.ready)
    assert postroad(source, "drain", "--status").returncode == 1
    fleet.send(source, 4)
    fleet.deliver_everything()


def test_a_token_is_wanted_and_shown(fleet: Fleet, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    guarded = f'token_file = "{token}"\n' + SETTINGS
    source, target, closed = fleet.mta(more=guarded), fleet.mta(more=guarded), fleet.mta()
    refused = postroad(source, "drain", "--to", target.admin)
    assert refused.returncode == 1
    assert "POSTROAD_TOKEN_FILE" in refused.stderr
    assert postroad(source, "drain", "--to", target.admin, "--token-file", str(token)).stdout.endswith(SAFE + "\n")
    other = tmp_path / "other"
    other.write_text("wrong\n")
    stranger = fleet.mta(more=SETTINGS + f'token_file = "{other}"\n')
    stranger.drain(target.admin)
    wait_until(lambda: "needs the bearer token" in stranger.drain_state()["targets"][0]["reason"])
    closed.drain(stranger.admin)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def fleet_beside_disk(small_disk: Path, fleet: Fleet) -> Fleet:
    """Its daemons end before the disk goes."""
    return fleet


@pytest.mark.root
def test_a_target_with_a_full_disk_leaves_the_rest_to_others(fleet_beside_disk: Fleet, small_disk: Path) -> None:
    fleet = fleet_beside_disk
    source, small, large = fleet.mta(), fleet.mta(spool=str(small_disk / "spool")), fleet.mta()
    fleet.send(source, 400, body=("x" * 70 + "\n") * 100)
    fleet.settle(source)
    source.drain(small.admin)
    full = ("has no room in its spool", "no space left")
    wait_until(lambda: any(reason in source.get("/drain") for reason in full), what="the disk is full")
    assert source.queue()["messages"] > 0
    source.drain(small.admin, large.admin)
    wait_until(source.safe, seconds=60, what="the drain ends")
    assert small.queue()["messages"] > 50
    fleet.deliver_everything()
