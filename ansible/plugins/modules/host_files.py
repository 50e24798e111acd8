#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""All files of a role in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: All files, folders and links of a role in one round trip
description:
  - M(ansible.builtin.template) takes two round trips for a file that is as it should be. A fleet that is converged
    often spends most of its time on them. This takes one for all.
  - Files are replaced as a whole, or written in place where they are mounts.
author: Postroad
options:
  files:
    description: What there should be, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where.
        type: path
        required: true
      content:
        description: Makes it a file with this content.
        type: str
      link:
        description: Makes it a symbolic link to this target. Neither O(files[].content) nor this makes it a folder.
        type: str
      absent:
        description: Removes the file or link.
        type: bool
        default: false
      only:
        description: Removes, when all else is done, what is below this folder and not among O(files).
        type: bool
        default: false
      mode:
        description: Permissions, octal.
        type: str
      owner:
        description: The owner's name.
        type: str
        default: root
      group:
        description: The group's name; the owner's when not given.
        type: str
      validate:
        description: A command that must succeed on the new content, at C(%s), before it takes the old one's place.
        type: str
"""
EXAMPLES = r"""
- name: Write the units
  host_files:
    files:
      - path: /etc/systemd/system/postroad-mta.socket
        content: "{{ lookup('ansible.builtin.template', 'postroad-mta.socket.j2') }}"
"""
RETURN = r"""
paths:
  description: What was changed, for C(when) of handlers.
  type: list
  returned: always
"""

import errno
import grp
import os
import pwd
import shlex
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class Wanted:
    """One entry of `files` against the file system."""

    def __init__(self, module: AnsibleModule, entry: dict[str, Any]) -> None:
        """Resolve names to numbers; an unknown one fails the module."""
        self.module, self.path, self.entry = module, entry["path"], entry
        try:
            self.owner = pwd.getpwnam(entry["owner"])
            self.gid = grp.getgrnam(entry["group"]).gr_gid if entry["group"] else self.owner.pw_gid
        except KeyError as error:
            # In check mode the role may not have made the user yet.
            if not module.check_mode:
                module.fail_json(msg=f"{self.path}: {error.args[0]}")
            self.owner, self.gid = pwd.getpwnam("root"), 0
        kind = "0755" if entry["content"] is None else "0644"
        self.mode = int(entry["mode"] or kind, 8)

    def ensure(self) -> bool:
        """Make it so; return whether anything had to be done."""
        if self.entry["absent"]:
            return self._absent()
        if self.entry["link"] is not None:
            return self._link(self.entry["link"])
        changed = self._folder() if self.entry["content"] is None else self._file(self.entry["content"].encode())
        return self._permissions() or changed

    def _absent(self) -> bool:
        if not os.path.lexists(self.path):
            return False
        if not self.module.check_mode:
            os.unlink(self.path)
        return True

    def _link(self, target: str) -> bool:
        if os.path.islink(self.path) and os.readlink(self.path) == target:
            return False
        if not self.module.check_mode:
            part = f"{self.path}.{os.getpid()}"
            os.symlink(target, part)
            os.replace(part, self.path)
        return True

    def _folder(self) -> bool:
        if os.path.isdir(self.path):
            return False
        if not self.module.check_mode:
            os.makedirs(self.path, self.mode)
        return True

    def _file(self, content: bytes) -> bool:
        try:
            with open(self.path, "rb") as file:
                if file.read() == content:
                    return False
        except FileNotFoundError:
            pass
        folder = os.path.dirname(self.path)
        if self.module.check_mode and not os.path.isdir(folder):
            return True
        fd, part = tempfile.mkstemp(prefix=".host_files.", dir=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            self._validate(part)
            if not self.module.check_mode:
                os.chmod(part, self.mode)
                os.chown(part, self.owner.pw_uid, self.gid)
                self._replace(part, content)
        finally:
            if os.path.exists(part):
                os.unlink(part)
        return True

    def _replace(self, part: str, content: bytes) -> None:
        try:
            os.replace(part, self.path)
        except OSError as error:
            # A file that is a mount, as a container's resolv.conf, can be written but not replaced.
            if error.errno != errno.EBUSY:
                raise
            with open(self.path, "wb") as file:
                file.write(content)

    def _validate(self, part: str) -> None:
        command = self.entry["validate"]
        # In check mode the program may not be installed yet.
        if not command or (self.module.check_mode and not os.path.exists(shlex.split(command)[0])):
            return
        code, out, err = self.module.run_command(shlex.split(command.replace("%s", shlex.quote(part))))
        if code:
            said = " ".join((err or out).replace(part, self.path).split())[-500:]
            self.module.fail_json(msg=f"{self.path}: its new content is refused, the old one stays: {said}")

    def _permissions(self) -> bool:
        if not os.path.exists(self.path):
            return False
        found = os.stat(self.path)
        same = stat.S_IMODE(found.st_mode) == self.mode
        same = same and (found.st_uid, found.st_gid) == (self.owner.pw_uid, self.gid)
        if not same and not self.module.check_mode:
            os.chown(self.path, self.owner.pw_uid, self.gid)
            os.chmod(self.path, self.mode)
        return not same


def remove_others(folder: str, wanted: set[str], *, check_mode: bool) -> list[str]:
    """Remove what is below a folder and isn't wanted; what that was. Links are removed, not followed."""
    removed = []
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            path = os.path.join(parent, name)
            if path in wanted or any(each.startswith(f"{path}/") for each in wanted):
                continue
            removed.append(path)
            if not check_mode:
                (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    return removed


def main() -> None:
    """Entry point of the module."""
    entry = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "link": {"type": "str"},
        "absent": {"type": "bool", "default": False},
        "only": {"type": "bool", "default": False},
        "mode": {"type": "str"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str"},
        "validate": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": entry,
                "mutually_exclusive": [["content", "link"]],
            }
        },
        supports_check_mode=True,
    )
    changed = []
    paths = {entry["path"] for entry in module.params["files"]}
    for entry in module.params["files"]:
        try:
            if Wanted(module, entry).ensure():
                changed.append(entry["path"])
        except OSError as error:
            module.fail_json(msg=f"{entry['path']}: {error.strerror}")
    for entry in module.params["files"]:
        if entry["only"]:
            try:
                changed += remove_others(entry["path"], paths, check_mode=module.check_mode)
            except OSError as error:
                module.fail_json(msg=f"{entry['path']}: {error.filename}: {error.strerror}")
    module.exit_json(changed=bool(changed), paths=changed)


if __name__ == "__main__":
    main()
