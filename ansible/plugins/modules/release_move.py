#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""Move this host's service to a staged release and prove it there, or go back: one step, whoever watches."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_move
short_description: Move a service between the releases that a host holds
description:
  - The whole move happens on the host, so that a controller which goes away in the middle leaves no host unproven.
  - A release that isn't healthy within O(deadline) is withdrawn, the one before takes its place, and the module fails.
author: Postroad
options:
  id:
    description: The release.
    type: str
    required: true
  state:
    description:
      - V(present) moves to it and proves it; where it runs already, it is proven alone.
      - V(known) only looks. V(reverted) goes back from O(id) to O(before), after another host has failed.
    type: str
    choices: [present, known, reverted]
    default: present
  before:
    description: For V(reverted), the release to go back to.
    type: str
  previous_before:
    description: For V(reverted), the way back that the host had.
    type: str
  root:
    description: Holds C(releases/) and the links C(current) and C(previous).
    type: path
    default: /opt/postroad
  ledger:
    description: The file that every move is written to.
    type: path
    default: /var/lib/postroad/deploys.jsonl
  service:
    description: The systemd unit without its suffix.
    type: str
    required: true
  ready_url:
    description: Answers 200 once the service can do its work; C(/metrics) beside it names the release.
    type: str
    required: true
  deadline:
    description: Seconds that a service gets to become ready.
    type: int
    default: 60
  restart:
    description: Restart a service that runs the release already, because its settings changed.
    type: bool
    default: false
  withdraw:
    description: Withdraw the release that is left, and leave no way back to it.
    type: bool
    default: false
  keep:
    description: Where O(id) is proven already, releases that stay beside the current and the previous one.
    type: int
  actor:
    description: Who moves it, for the ledger.
    type: str
    required: true
"""
EXAMPLES = r"""
- name: Move
  release_move:
    id: 0.1.0-d8bc4e2f5fb8
    service: postroad-mta
    ready_url: http://127.0.0.1:8025/ready
    actor: ada
"""
RETURN = r"""
current:
  description: The release that the host is on now; empty for none.
  type: str
  returned: always
complete:
  description: Whether the host holds O(id) ready to run.
  type: bool
  returned: always
switched:
  description: Whether the host was moved, so that it would have to go back if another fails.
  type: bool
  returned: always
before:
  description: The release that it was on.
  type: str
  returned: always
previous_before:
  description: The way back that it had.
  type: str
  returned: always
"""

import datetime
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from typing import Any

from ansible.module_utils.basic import AnsibleModule

POLL_SECONDS = 0.1
BUILD_INFO = re.compile(r'_build_info\{[^}]*release="([^"]*)"')


class UnhealthyError(Exception):
    """The service doesn't do its work on this release; the text says why."""


class Releases:
    """The releases that a host holds: folders below `releases/`, and two links."""

    def __init__(self, root: str) -> None:
        """Nothing is read yet."""
        self.root = root

    def folder(self, release: str) -> str:
        """Where the release lies."""
        return os.path.join(self.root, "releases", release)

    def linked(self, name: str) -> str:
        """The release that `current` or `previous` leads to; empty for none."""
        try:
            return os.path.basename(os.readlink(os.path.join(self.root, name)))
        except FileNotFoundError:
            return ""

    def link(self, name: str, release: str) -> None:
        """Lead `current` or `previous` to a release at once, or nowhere; on disk when this returns."""
        path = os.path.join(self.root, name)
        if release:
            part = f"{path}.{os.getpid()}"
            os.symlink(f"releases/{release}", part)
            os.replace(part, path)
        elif os.path.lexists(path):
            os.unlink(path)
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def complete(self, release: str) -> bool:
        """Whether the release is ready to run."""
        return os.path.exists(os.path.join(self.folder(release), ".complete"))

    def withdraw(self, release: str, note: str) -> None:
        """Mark a release, so that nothing chooses it by itself."""
        with open(os.path.join(self.folder(release), ".withdrawn"), "w", encoding="utf-8") as file:
            file.write(f"{note}\n")

    def admit(self, release: str) -> None:
        """Take back an earlier withdrawal."""
        mark = os.path.join(self.folder(release), ".withdrawn")
        if os.path.exists(mark):
            os.unlink(mark)

    def prune(self, keep: int) -> None:
        """Remove what is neither linked nor among the newest `keep` of the others."""
        kept = {self.linked("current"), self.linked("previous")}
        others = [entry for entry in os.scandir(os.path.join(self.root, "releases")) if entry.is_dir()]
        others = [entry for entry in others if entry.name not in kept]
        for entry in sorted(others, key=lambda found: found.stat().st_mtime, reverse=True)[keep:]:
            shutil.rmtree(entry.path)


class Service:
    """The unit that runs a release, asked how it is."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is asked yet."""
        self.module = module
        self.unit = f"{module.params['service']}.service"
        self.ready_url = module.params["ready_url"]
        self.metrics_url = re.sub("/ready$", "/metrics", self.ready_url)

    def control(self, *command: str) -> None:
        """`systemctl` with this command.

        Raises:
            UnhealthyError: it failed.
        """
        code, out, err = self.module.run_command(["systemctl", *command])
        if code:
            said = " ".join((err or out).split())[:300]
            raise UnhealthyError(f"systemctl {' '.join(command)} ended with {code}: {said}")

    def restart(self) -> None:
        """Start it anew on what `current` leads to; its socket keeps the callers."""
        self.control("daemon-reload")
        self.control("restart", self.unit)

    def prove(self, release: str) -> None:
        """Return once it runs, is ready and says that it is this release.

        Raises:
            UnhealthyError: it isn't within the deadline.
        """
        self.control("start", self.unit)
        deadline = time.monotonic() + self.module.params["deadline"]
        while True:
            why = self._objection(release)
            if not why:
                return
            if time.monotonic() > deadline:
                raise UnhealthyError(why)
            time.sleep(POLL_SECONDS)

    def _objection(self, release: str) -> str:
        status, said = self._get(self.ready_url)
        if status != 200:
            return f"{self.ready_url} answers {said.strip()[:200]!r}"
        named = BUILD_INFO.findall(self._get(self.metrics_url)[1])
        return "" if named == [release] else f"it is ready, but runs {', '.join(named) or 'a release without a name'}"

    @staticmethod
    def _get(url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            return 0, str(error)


class Move:
    """One move of one host."""

    def __init__(self, module: AnsibleModule) -> None:
        """See where the host is."""
        self.module, self.id = module, module.params["id"]
        self.releases, self.service = Releases(module.params["root"]), Service(module)
        self.before = self.releases.linked("current")
        self.previous_before = self.releases.linked("previous")
        self.switched = False

    def facts(self) -> dict[str, Any]:
        """What the play may need of this host later."""
        return {
            "current": self.releases.linked("current"),
            "complete": self.releases.complete(self.id),
            "switched": self.switched,
            "before": self.before,
            "previous_before": self.previous_before,
        }

    def there(self) -> bool:
        """Move to the release, or prove that it is there; return whether anything that runs was touched."""
        if self.before == self.id:
            return self._prove_here()
        if not self.releases.complete(self.id):
            self.module.fail_json(msg=f"release {self.id} isn't complete here: deploy it with playbooks/deploy.yml")
        if self.module.check_mode:
            return True
        self.switched = True
        try:
            self._switch()
            self.service.restart()
            self.service.prove(self.id)
        except (UnhealthyError, OSError) as error:
            self._fail_back(str(error))
        self._write("healthy", self.id, self.before)
        if self.module.params["withdraw"] and self.before:
            self.releases.withdraw(self.before, self._note())
            self.releases.link("previous", "")
        return True

    def back(self, before: str, previous_before: str) -> None:
        """Return from this release to the one before it, and prove that.

        Raises:
            UnhealthyError: the release before isn't healthy either.
        """
        self.releases.withdraw(self.id, self._note())
        if not before:
            return
        self.releases.admit(before)
        self.releases.link("current", before)
        self.releases.link("previous", previous_before)
        self.service.restart()
        self.service.prove(before)
        self._write("revert", before, before)

    def _prove_here(self) -> bool:
        restart = bool(self.module.params["restart"])
        if not self.module.check_mode:
            try:
                if restart:
                    self.service.restart()
                self.service.prove(self.id)
            except UnhealthyError as error:
                unit = self.module.params["service"]
                self.module.fail_json(
                    msg=f"{unit} of {self.id}: {error}; see `journalctl -u {unit}` there", **self.facts()
                )
            if self.module.params["keep"] is not None:
                self.releases.prune(self.module.params["keep"])
        return restart

    def _switch(self) -> None:
        if self.before:
            self.releases.link("previous", self.before)
        self.releases.link("current", self.id)
        self._write("switch", self.id, self.before)
        self.releases.admit(self.id)

    def _fail_back(self, why: str) -> None:
        told = f"{self.module.params['service']} of release {self.id} isn't healthy ({why})"
        try:
            self.back(self.before, self.previous_before)
        except (UnhealthyError, OSError) as error:
            self.switched = False
            end = f"reverted to {self.before}, which isn't healthy either ({error})"
        else:
            self.switched = False
            end = f"reverted to {self.before}, which is" if self.before else "there was no release before it"
        see = f"see `journalctl -u {self.module.params['service']}` there"
        self.module.fail_json(msg=f"{told}; {end}; {see}", **self.facts())

    def _note(self) -> str:
        return f"{datetime.datetime.now(datetime.UTC).isoformat()} {self.module.params['actor']}"

    def _write(self, action: str, release: str, before: str) -> None:
        entry = {
            "at": datetime.datetime.now(datetime.UTC).isoformat(),
            "action": action,
            "service": self.module.params["service"],
            "release": release,
            "before": before,
            "actor": self.module.params["actor"],
        }
        with open(self.module.params["ledger"], "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def run(module: AnsibleModule) -> None:
    """Do what the state asks for."""
    move = Move(module)
    changed = False
    if module.params["state"] == "present":
        changed = move.there()
    elif module.params["state"] == "reverted" and move.before == module.params["id"]:
        changed = True
        if not module.check_mode:
            try:
                move.back(module.params["before"] or "", module.params["previous_before"] or "")
            except (UnhealthyError, OSError) as error:
                module.fail_json(msg=f"went back to {module.params['before']}, which isn't healthy: {error}")
    module.exit_json(changed=changed, **move.facts())


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "known", "reverted"], "default": "present"},
            "before": {"type": "str"},
            "previous_before": {"type": "str"},
            "root": {"type": "path", "default": "/opt/postroad"},
            "ledger": {"type": "path", "default": "/var/lib/postroad/deploys.jsonl"},
            "service": {"type": "str", "required": True},
            "ready_url": {"type": "str", "required": True},
            "deadline": {"type": "int", "default": 60},
            "restart": {"type": "bool", "default": False},
            "withdraw": {"type": "bool", "default": False},
            "keep": {"type": "int"},
            "actor": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    run(module)


if __name__ == "__main__":
    main()
