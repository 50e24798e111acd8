#!/usr/bin/python3
"""What cloud-init does for a Debian instance on EC2, as far as Postroad relies on it; runs at every boot, acts
once an instance.

Reads IMDSv2, gives `admin` the key pair's public key, makes host keys and prints them to the console, runs user data
that is a script.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

METADATA = "http://169.254.169.254/latest"
DONE = pathlib.Path("/var/lib/postroad-firstboot/instance-id")
DEADLINE_SECONDS = 120


def get(path, token):
    """A metadata value, or None where there is none."""
    request = urllib.request.Request(f"{METADATA}/{path}", headers={"X-aws-ec2-metadata-token": token})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def session_token():
    """A session token; waits for the network, which is plugged in while the host boots."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    while True:
        try:
            request = urllib.request.Request(f"{METADATA}/api/token", method="PUT", headers=headers)
            with urllib.request.urlopen(request, timeout=2) as answer:
                return answer.read().decode()
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"firstboot: no instance metadata within {DEADLINE_SECONDS} s: {error}")
            time.sleep(0.2)


def print_host_keys():
    """The block that cloud-init writes to the console, by which an operator pins the host's keys."""
    keys = "".join(p.read_text() for p in sorted(pathlib.Path("/etc/ssh").glob("ssh_host_*_key.pub")))
    block = f"-----BEGIN SSH HOST KEY KEYS-----\n{keys}-----END SSH HOST KEY KEYS-----\n"
    with open("/dev/console", "w", encoding="ascii") as console:
        console.write(block)


def main():
    """First boot of this instance, or any later one."""
    token = session_token()
    instance = get("meta-data/instance-id", token).decode()
    if not DONE.exists() or DONE.read_text() != instance:
        for stale in pathlib.Path("/etc/ssh").glob("ssh_host_*"):
            stale.unlink()
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key"], check=True
        )
        key = get("meta-data/public-keys/0/openssh-key", token)
        home = pathlib.Path("/home/admin/.ssh")
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "authorized_keys").write_bytes(key or b"")
        for path in (home, home / "authorized_keys"):
            subprocess.run(["chown", "admin:admin", str(path)], check=True)
        user_data = get("user-data", token)
        if user_data and user_data.startswith(b"#!"):
            script = pathlib.Path("/var/lib/postroad-firstboot/user-data")
            script.write_bytes(user_data)
            script.chmod(0o700)
            subprocess.run([str(script)], check=False)
        DONE.write_text(instance)
    print_host_keys()


if __name__ == "__main__":
    main()
