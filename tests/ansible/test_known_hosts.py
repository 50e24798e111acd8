"""Host keys come from the console."""

import importlib.util
from pathlib import Path

PATH = Path(__file__).parents[2] / "ansible" / "known_hosts.py"
spec = importlib.util.spec_from_file_location("known_hosts", PATH)
assert spec
assert spec.loader
known_hosts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(known_hosts)

KEYS = "ssh-ed25519 AAAA root@ip\r\nssh-rsa BBBB root@ip\r\n"
BLOCK = f"-----BEGIN SSH HOST KEY KEYS-----\r\n{KEYS}-----END SSH HOST KEY KEYS-----\r\n"


def test_the_keys_of_the_last_boot_count() -> None:
    assert known_hosts.host_keys("[ 0.0] boot\r\n" + BLOCK.replace("AAAA", "OLD") + "more\r\n" + BLOCK) == [
        "ssh-ed25519 AAAA"
    ]


def test_a_console_without_keys_pins_nothing() -> None:
    assert known_hosts.host_keys("[ 0.0] boot\n-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA") == []


def test_pins_are_filed_under_instances() -> None:
    assert known_hosts.pinned("i-1 ssh-ed25519 AAAA\n10.0.0.1 ssh-ed25519 CCCC\ni-2 ssh-ed25519 BBBB\n") == {
        "i-1": ["ssh-ed25519 AAAA"],
        "i-2": ["ssh-ed25519 BBBB"],
    }
