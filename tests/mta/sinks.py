"""Postfix's own sink and Postfix itself as mail hosts."""

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from daemons import free_port, wait_until

_ID = re.compile(rb"^X-Id: ([^\r\n]+)", re.MULTILINE)
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
default_transport = discard:
relay_transport = discard:
alias_maps =
{more}
"""
_MASTER = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class PostfixSink:
    """smtp-sink, which keeps what it takes in files; `options` are its own (-q, -Q, -r, -f and so on)."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        # Not under pytest's folder, which is for root alone: the sink gives up its rights.
        self._folder = Path(tempfile.mkdtemp(prefix="postroad-sink-"))
        shutil.chown(self._folder, "nobody")
        command = ["smtp-sink", "-u", "nobody", "-d", f"{self._folder}/", *options, f"127.0.0.1:{self.port}", "100"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(lambda: _listens(self.port), what="smtp-sink listens")

    @property
    def ids(self) -> Counter[str]:
        """How often each message arrived, by its X-Id."""
        found = (_ID.search(path.read_bytes()) for path in self._folder.iterdir())
        return Counter(match[1].decode() for match in found if match is not None)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._folder)


class Postfix:
    """A Postfix with a queue of its own, that takes everything and throws it away; its log tells what it took."""

    def __init__(self, **parameters: str) -> None:
        self.port = free_port()
        self._folder = folder = Path(tempfile.mkdtemp(prefix="postroad-postfix-"))
        folder.chmod(0o755)
        for name in ("queue", "data", "etc"):
            (folder / name).mkdir()
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid)
        more = "".join(f"{key} = {value}\n" for key, value in parameters.items())
        (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder, more=more))
        (folder / "etc/master.cf").write_text(_MASTER.format(port=self.port))
        self._run("start")
        wait_until(lambda: _listens(self.port), what="Postfix listens")

    def _run(self, word: str) -> None:
        subprocess.run(["postfix", "-c", str(self._folder / "etc"), word], check=True, capture_output=True)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    @property
    def message_ids(self) -> Counter[str]:
        """How often each message arrived, by its Message-ID."""
        return Counter(re.findall(r"message-id=<([^>]+)>", self.log))

    def stop(self) -> None:
        self._run("stop")
        shutil.rmtree(self._folder)
