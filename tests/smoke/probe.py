"""Run as root on a host of the stack with its tier as argument; prints what it found as JSON. Standard library only."""

import json
import os
import pwd
import re
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path


def say(*command):
    """What a command prints, without the line's end; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def unit(name):
    """The state of a unit, and which user its process runs as."""
    shown = say("systemctl", "show", "-p", "ActiveState,UnitFileState,MainPID,Listen,NRestarts", name)
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    pid = int(found.get("MainPID") or 0)
    found["User"] = pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name if pid else ""
    return found


def dig(name, kind="A", server="127.0.0.1"):
    """Status, flags and answers of one query."""
    out = say("dig", f"@{server}", "+time=3", "+tries=2", "+dnssec", name, kind)
    header = next((line for line in out.splitlines() if "status:" in line), "")
    flags = next((line for line in out.splitlines() if line.startswith(";; flags:")), "")
    answers = [line for line in out.splitlines() if line and not line.startswith(";")]
    return {
        "status": header.partition("status: ")[2].partition(",")[0],
        "flags": flags.partition("flags: ")[2].partition(";")[0].split(),
        "answers": answers,
    }


def ready(port):
    """What readiness answers, and which release the metrics name."""
    found = {"status": 0, "release": ""}
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            found["status"] = answer.status
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            build = re.search(r'_build_info\{[^}]*release="([^"]*)"', answer.read().decode())
            found["release"] = build.group(1) if build else ""
    except OSError as error:
        found |= {"status": getattr(error, "code", 0), "error": str(error)}
    return found


def socks(address, port):
    """The reply code of the proxy to a SOCKS5 CONNECT (RFC 1928 section 6); -1 when it hangs up before."""
    own = say("hostname", "-I").split()[0]
    try:
        with socket.create_connection((own, 1080), timeout=5) as client:
            client.sendall(b"\x05\x01\x00")
            if client.recv(2) != b"\x05\x00":
                return -1
            client.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(address) + struct.pack(">H", port))
            reply = client.recv(10)
            return reply[1] if len(reply) > 1 else -1
    except OSError:
        return -1


def ledger():
    """The last entry of the deploy ledger that says a release is healthy."""
    path = Path("/var/lib/postroad/deploys.jsonl")
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return next((entry for entry in reversed(entries) if entry["action"] in ("healthy", "revert")), {})


def main(tier):
    found = {
        "nameservers": [
            line.split()[1]
            for line in Path("/etc/resolv.conf").read_text().splitlines()
            if line.startswith("nameserver")
        ],
        "unbound": unit("unbound.service"),
        "firewall": say("nft", "list", "table", "inet", "postroad"),
        "sources": [
            line
            for path in [*Path("/etc/apt/sources.list.d").glob("*.sources"), *Path("/etc/apt").glob("sources.list")]
            for line in path.read_text().splitlines()
            if line.startswith(("URIs:", "deb "))
        ],
        "local": dig("gmail.test", "MX"),
        "bogus": dig("bogus.test"),
        "forwards": say("unbound-control", "list_forwards"),
        "failed": say("systemctl", "list-units", "--failed", "--plain", "--no-legend").splitlines(),
    }
    if tier in ("mta", "proxy"):
        found["current"] = os.path.basename(os.path.realpath("/opt/postroad/current"))
        found["complete"] = Path("/opt/postroad/current/.complete").exists()
        found["ledger"] = ledger()
        found["service"] = unit(f"postroad-{tier}.service")
        found["socket"] = unit(f"postroad-{tier}.socket")
        found["ready"] = ready(8025 if tier == "mta" else 1081)
    if tier == "mta":
        spool = os.path.realpath("/var/spool/postroad")
        found["spool"] = {
            "path": spool,
            "mode": oct(os.stat(spool).st_mode & 0o777),
            "mount": say("findmnt", "-no", "TARGET", "-T", spool),
        }
    if tier == "proxy":
        found["to_metadata"] = socks("169.254.169.254", 80)
        found["to_metadata_25"] = socks("169.254.169.254", 25)
        found["to_itself"] = socks("127.0.0.1", 25)
        found["to_web"] = socks("198.51.100.25", 80)
    print(json.dumps(found))


main(sys.argv[1])
