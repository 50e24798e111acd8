#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""Make a release ready to run on this host, without touching what runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_stage
short_description: Fetch, verify and unpack a release, and make its environment
description:
  - The archive must carry the signature of a key in C(allowed_signers), hold exactly the files that its manifest names,
    and be what its id says; only then is anything of it run.
  - What an interrupted run left is removed first. A release is complete when C(.complete) is there, which the caller
    writes once it has rendered the configuration.
author: Postroad
options:
  id:
    description: The release, C(<version>-<sha12>).
    type: str
    required: true
  root:
    description: Holds C(releases/) and C(allowed_signers).
    type: path
    default: /opt/postroad
  source:
    description: The URL below which C(<id>.tar.gz) and C(<id>.tar.gz.sig) lie.
    type: str
    required: true
  python:
    description: The interpreter that the environment is made with.
    type: path
    default: /usr/bin/python3
  free_mb:
    description: Megabytes that must be free.
    type: int
    default: 300
"""
EXAMPLES = r"""
- name: Stage a release
  release_stage:
    id: 0.1.0-d8bc4e2f5fb8
    source: http://artifacts.example.com/releases
"""
RETURN = r"""
complete:
  description: Whether the release was complete here already.
  type: bool
  returned: always
"""

import glob
import hashlib
import os
import shutil
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

TRIES = 3
TRY_SECONDS = 30
PURPOSE = "postroad-release"


class RefusedError(Exception):
    """The release can't be staged; the text says why and what to do."""


def fetch(url: str, target: str) -> None:
    """Copy what lies at `url` into the file `target`, readable by root alone.

    Raises:
        RefusedError: it isn't there, or the way to it fails.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with (
                urllib.request.urlopen(url, timeout=TRY_SECONDS) as answer,
                open(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file,
            ):
                shutil.copyfileobj(answer, file)
            return
        except OSError as error:
            if attempt == TRIES:
                raise RefusedError(f"{url} can't be fetched: {error}; build and upload the release again") from None
            time.sleep(attempt)


def check_manifest(tree: str, release: str) -> None:
    """The tree is what the id names: its manifest has the id's hash, and names every file with its hash.

    Raises:
        RefusedError: it isn't.
    """
    with open(os.path.join(tree, "MANIFEST"), "rb") as file:
        manifest = file.read()
    found = hashlib.sha256(manifest).hexdigest()[:12]
    if not release.endswith(f"-{found}"):
        raise RefusedError(f"{release} holds a manifest with hash {found}: build and upload it again")
    wanted = {}
    for line in manifest.decode().splitlines():
        octets, _, name = line.partition("  ")
        wanted[name] = octets
    present = {
        os.path.relpath(os.path.join(folder, name), tree) for folder, _, names in os.walk(tree) for name in names
    } - {"MANIFEST"}
    if odd := sorted(present ^ set(wanted)):
        raise RefusedError(f"{release}: {odd[0]} is not both in the manifest and in the archive: build it again")
    for name, octets in wanted.items():
        with open(os.path.join(tree, name), "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != octets:
                raise RefusedError(f"{release}: {name} isn't what the manifest says: build and upload it again")


class Staging:
    """One release on its way into `releases/`."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is touched yet."""
        self.module = module
        self.id, self.root = module.params["id"], module.params["root"]
        self.folder = os.path.join(self.root, "releases", self.id)
        self.archive = os.path.join(self.root, "releases", f".{self.id}.tar.gz")

    def run(self) -> None:
        """Make all of it.

        Raises:
            RefusedError: something about the release or the host forbids it.
        """
        self._need_room()
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            for suffix in ("", ".sig"):
                fetch(f"{self.module.params['source']}/{self.id}.tar.gz{suffix}", self.archive + suffix)
            self._verify_signature()
            self._command(
                "tar", "--extract", "--gzip", "--no-same-owner", "--file", self.archive, "--directory",
                os.path.dirname(self.folder),
            )  # fmt: skip
        finally:
            for path in (self.archive, f"{self.archive}.sig"):
                if os.path.exists(path):
                    os.unlink(path)
        check_manifest(self.folder, self.id)
        self._make_environment()

    def _need_room(self) -> None:
        free = shutil.disk_usage(self.root).free // 2**20
        if free < self.module.params["free_mb"]:
            need = self.module.params["free_mb"]
            raise RefusedError(f"{self.root} has {free} MB free, a release needs {need}: remove old ones in releases/")

    def _verify_signature(self) -> None:
        with open(self.archive, "rb") as file:
            content = file.read()
        signers = os.path.join(self.root, "allowed_signers")
        arguments = ["-Y", "verify", "-f", signers, "-I", PURPOSE, "-n", PURPOSE, "-s", f"{self.archive}.sig"]
        code, out, err = self.module.run_command(["ssh-keygen", *arguments], data=content, binary_data=True)
        if code:
            said = " ".join((err or out).split())
            raise RefusedError(f"{self.id} is signed by nobody that {signers} names ({said}): sign and upload it again")

    def _make_environment(self) -> None:
        """Pip runs from its wheel, which spares 3 s of ensurepip; modules compile at the configuration's check."""
        self._command(self.module.params["python"], "-m", "venv", "--without-pip", "venv")
        wheels = glob.glob("/usr/share/python-wheels/pip-*.whl")
        if not wheels:
            raise RefusedError("/usr/share/python-wheels has no pip: install python3-venv")
        self._command(
            "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir",
            "--no-compile", "--no-index", "--find-links", "wheelhouse", "--require-hashes",
            "--requirement", "requirements.txt", PYTHONPATH=wheels[0],
        )  # fmt: skip
        settings = os.path.join(self.folder, "etc")
        os.mkdir(settings, 0o755)
        with open(os.path.join(settings, "release.env"), "w", encoding="ascii") as file:
            file.write(f"POSTROAD_RELEASE={self.id}\n")

    def _command(self, *command: str, **environment: str) -> None:
        folder = self.folder if os.path.isdir(self.folder) else self.root
        code, out, err = self.module.run_command(list(command), cwd=folder, environ_update=environment)
        if code:
            said = " ".join((err or out).split())[-500:]
            raise RefusedError(f"{self.id} can't be unpacked: `{command[0]}` ended with {code}: {said}")


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "id": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/opt/postroad"},
            "source": {"type": "str", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "free_mb": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    staging = Staging(module)
    complete = os.path.exists(os.path.join(staging.folder, ".complete"))
    if not complete and not module.check_mode:
        # Everybody may read a release; the umask of the session mustn't decide that.
        os.umask(0o022)
        try:
            staging.run()
        except RefusedError as error:
            module.fail_json(msg=str(error), complete=False)
    module.exit_json(changed=not complete, complete=complete)


if __name__ == "__main__":
    main()
