#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""All systemd units of a role in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_units
short_description: Keep systemd units running, now and after every boot, in one round trip
description:
  - What M(ansible.builtin.systemd_service) does with O(ignore:enabled) and O(ignore:state=started), for several
    units at once.
author: Postroad
options:
  names:
    description: The units, with their suffix.
    type: list
    elements: str
    required: true
  daemon_reload:
    description: Read unit files again first.
    type: bool
    default: false
"""
EXAMPLES = r"""
- name: Keep the firewall on
  host_units:
    names: [nftables.service]
"""
RETURN = r"""
enabled:
  description: Units that were enabled.
  type: list
  returned: always
started:
  description: Units that were started.
  type: list
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

ON_AT_BOOT = {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"}


def run(module: AnsibleModule) -> None:
    """Enable what isn't, start what isn't."""
    names = module.params["names"]

    def systemctl(*command: str) -> list[str]:
        """One word a unit; the exit code says only whether all are so."""
        return module.run_command(["systemctl", *command, *names])[1].split()

    if module.params["daemon_reload"] and not module.check_mode:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    at_boot, active = systemctl("is-enabled"), systemctl("is-active")
    if len(at_boot) != len(names) or len(active) != len(names):
        module.fail_json(msg=f"one of {', '.join(names)} is no unit of this host: install its package first")
    enable = [name for name, state in zip(names, at_boot, strict=True) if state not in ON_AT_BOOT]
    start = [name for name, state in zip(names, active, strict=True) if state != "active"]
    if not module.check_mode:
        for verb, units in (("enable", enable), ("start", start)):
            if units:
                code, _, said = module.run_command(["systemctl", verb, *units])
                if code:
                    reason = " ".join(said.split())[:400]
                    module.fail_json(msg=f"systemctl {verb} {' '.join(units)} ended with {code}: {reason}")
    module.exit_json(changed=bool(enable or start), enabled=enable, started=start)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "daemon_reload": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module)


if __name__ == "__main__":
    main()
