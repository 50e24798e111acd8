"""A host moves between releases in one step: proven where it ends, or back where it was."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import release_move


class Service:
    """What systemd would run: `systemctl` through the module starts whatever `current` leads to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running = ""
        self.crashing: set[str] = set()
        self.never_ready: set[str] = set()
        self.commands: list[list[str]] = []
        service = self

        class Admin(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ready = service.running and service.running not in service.never_ready
                body = f'postroad_mta_build_info{{release="{service.running}"}} 1\n' if ready else "loading\n"
                self.send_response(200 if ready else 503)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Admin)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.ready_url = f"http://127.0.0.1:{self.server.server_address[1]}/ready"

    def systemctl(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command[1:])
        if command[1] in {"start", "restart"} and (command[1] == "restart" or not self.running):
            target = os.path.basename(os.readlink(self.root / "current"))
            self.running = "" if target in self.crashing else target
            if not self.running:
                return 1, "", "Job for postroad-mta.service failed"
        return 0, "", ""


class Done(Exception):
    """The module's answer."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    for release in ("r1", "r2", "r3"):
        (tmp_path / "releases" / release).mkdir(parents=True)
        (tmp_path / "releases" / release / ".complete").touch()
    made = Service(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def ask(service: Service, release: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    class Module:
        def __init__(self) -> None:
            self.check_mode = check_mode
            defaults = {"state": "present", "before": None, "previous_before": None, "service": "postroad-mta"}
            defaults |= {"deadline": 1, "restart": False, "withdraw": False, "keep": None, "actor": "ada"}
            place = {"id": release, "root": str(service.root), "ready_url": service.ready_url}
            self.params = {**defaults, **place, "ledger": str(service.root / "deploys.jsonl"), **params}

        def run_command(self, command: list[str]) -> tuple[int, str, str]:
            return service.systemctl(command)

        def exit_json(self, **answer: Any) -> None:
            raise Done(answer)

        def fail_json(self, **answer: Any) -> None:
            raise Done({"failed": True, **answer})

    with pytest.raises(Done) as answer:
        release_move.run(Module())
    return dict(answer.value.args[0])


def ledger(service: Service) -> list[tuple[str, str]]:
    lines = (service.root / "deploys.jsonl").read_text().splitlines()
    return [(entry["action"], entry["release"]) for entry in map(json.loads, lines)]


def links(service: Service) -> tuple[str, str]:
    found = release_move.Releases(str(service.root))
    return found.linked("current"), found.linked("previous")


def test_the_first_release_has_no_way_back(service: Service) -> None:
    said = ask(service, "r1")
    assert (said["changed"], said["switched"], said["before"]) == (True, True, "")
    assert links(service) == ("r1", "")
    assert service.running == "r1"


def test_a_move_keeps_the_way_back_and_is_written_down(service: Service) -> None:
    ask(service, "r1")
    said = ask(service, "r2")
    assert (said["current"], said["before"], said["previous_before"]) == ("r2", "r1", "")
    assert links(service) == ("r2", "r1")
    assert ledger(service) == [("switch", "r1"), ("healthy", "r1"), ("switch", "r2"), ("healthy", "r2")]


def test_a_host_that_is_there_is_proven_and_not_touched(service: Service) -> None:
    ask(service, "r1")
    service.commands.clear()
    said = ask(service, "r1")
    assert (said["changed"], said["switched"]) == (False, False)
    assert service.commands == [["start", "postroad-mta.service"]]


def test_changed_settings_restart_it_where_it_is(service: Service) -> None:
    ask(service, "r1")
    said = ask(service, "r1", restart=True)
    assert (said["changed"], said["switched"]) == (True, False)
    assert ["restart", "postroad-mta.service"] in service.commands


@pytest.mark.parametrize("fault", ["crashing", "never_ready"])
def test_a_release_that_is_not_healthy_is_withdrawn_and_left(service: Service, fault: str) -> None:
    ask(service, "r1")
    ask(service, "r2")
    getattr(service, fault).add("r3")

    said = ask(service, "r3", deadline=0)

    assert said["failed"]
    assert "reverted to r2, which is" in said["msg"]
    assert not said["switched"], "nobody has to bring it back"
    assert links(service) == ("r2", "r1")
    assert service.running == "r2"
    assert (service.root / "releases" / "r3" / ".withdrawn").exists()
    assert ledger(service)[-2:] == [("switch", "r3"), ("revert", "r2")]


def test_when_the_way_back_is_broken_too_both_reasons_are_told(service: Service) -> None:
    ask(service, "r1")
    service.crashing |= {"r1", "r2"}
    said = ask(service, "r2", deadline=0)
    assert said["failed"]
    assert "reverted to r1, which isn't healthy either" in said["msg"]


def test_a_first_release_that_fails_says_that_there_is_no_way_back(service: Service) -> None:
    service.crashing.add("r1")
    assert "there was no release before it" in ask(service, "r1", deadline=0)["msg"]


def test_a_release_that_is_not_complete_is_refused_before_anything_moves(service: Service) -> None:
    ask(service, "r1")
    (service.root / "releases" / "r2" / ".complete").unlink()
    said = ask(service, "r2")
    assert "isn't complete here" in said["msg"]
    assert links(service) == ("r1", "")


def test_a_host_is_brought_back_after_another_has_failed(service: Service) -> None:
    ask(service, "r1")
    ask(service, "r2")
    moved = ask(service, "r3")
    said = ask(service, "r3", state="reverted", before=moved["before"], previous_before=moved["previous_before"])
    assert said["changed"]
    assert links(service) == ("r2", "r1")
    assert service.running == "r2"
    assert not ask(service, "r3", state="reverted", before="r2", previous_before="r1")["changed"]


def test_going_back_withdraws_what_is_left(service: Service) -> None:
    ask(service, "r1")
    ask(service, "r2")
    ask(service, "r1", withdraw=True)
    assert links(service) == ("r1", "")
    assert (service.root / "releases" / "r2" / ".withdrawn").exists()
    ask(service, "r2")
    assert not (service.root / "releases" / "r2" / ".withdrawn").exists(), "a deploy that names it takes it back"


def test_only_releases_that_nobody_goes_back_to_are_removed(service: Service) -> None:
    ask(service, "r1")
    ask(service, "r2")
    for number, release in enumerate(("old", "older")):
        (service.root / "releases" / release).mkdir()
        os.utime(service.root / "releases" / release, (1000 - number, 1000 - number))
    ask(service, "r2", keep=2)
    assert sorted(path.name for path in (service.root / "releases").iterdir()) == ["old", "r1", "r2", "r3"]


def test_looking_and_checking_touch_nothing(service: Service) -> None:
    ask(service, "r1")
    service.commands.clear()
    assert ask(service, "r2", state="known")["complete"]
    assert ask(service, "r2", check_mode=True)["changed"]
    assert service.commands == []
    assert links(service) == ("r1", "")
