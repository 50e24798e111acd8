"""Units run, now and after every boot; what does already isn't touched."""

from typing import Any

import host_units
import pytest


class Done(Exception):
    """The module's answer."""


class Module:
    """A host whose `systemctl` knows two units."""

    def __init__(self, *names: str, check_mode: bool = False) -> None:
        self.params = {"names": list(names), "daemon_reload": False}
        self.check_mode = check_mode
        self.at_boot = {"a.service": "enabled", "b.socket": "disabled", "c.service": "static"}
        self.active = {"a.service": "active", "b.socket": "inactive", "c.service": "active"}
        self.did: list[list[str]] = []

    def run_command(self, command: list[str], **_: Any) -> tuple[int, str, str]:
        verb, names = command[1], command[2:]
        if verb in {"is-enabled", "is-active"}:
            known = self.at_boot if verb == "is-enabled" else self.active
            return 0, "\n".join(known[name] for name in names if name in known), ""
        self.did.append(command[1:])
        return 0, "", ""

    def exit_json(self, **answer: Any) -> None:
        raise Done(answer)

    def fail_json(self, **answer: Any) -> None:
        raise Done({"failed": True, **answer})


def ask(module: Module) -> dict[str, Any]:
    with pytest.raises(Done) as answer:
        host_units.run(module)
    return dict(answer.value.args[0])


def test_what_is_off_is_enabled_and_started() -> None:
    module = Module("a.service", "b.socket")
    assert ask(module) == {"changed": True, "enabled": ["b.socket"], "started": ["b.socket"]}
    assert module.did == [["enable", "b.socket"], ["start", "b.socket"]]


def test_what_is_on_is_left_alone() -> None:
    module = Module("a.service", "c.service")
    assert not ask(module)["changed"]
    assert module.did == []


def test_a_check_only_tells() -> None:
    module = Module("b.socket", check_mode=True)
    assert ask(module)["changed"]
    assert module.did == []


def test_a_unit_that_is_not_installed_is_said() -> None:
    assert "install its package first" in ask(Module("nginx.service"))["msg"]
