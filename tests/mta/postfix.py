"""Postfix itself, with a queue of its own: as a mail host, and as a client."""

import grp
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from daemons import free_port, listens, wait_until

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
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix with these parameters (postconf(5)) beside those that keep it to itself."""

    def __init__(self, **parameters: str) -> None:
        self.port = free_port()
        # Not under pytest's folder, which is for root alone: Postfix gives up its rights.
        self._folder = folder = Path(tempfile.mkdtemp(prefix="postroad-postfix-"))
        folder.chmod(0o755)
        for name in ("queue", "data", "etc"):
            (folder / name).mkdir()
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid)
        more = "".join(f"{key} = {value}\n" for key, value in parameters.items())
        (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder, more=more))
        (folder / "etc/master.cf").write_text(_MASTER.format(port=self.port))
        self._run("start")
        wait_until(lambda: listens(self.port), what="Postfix listens")

    @property
    def log(self) -> str:
        """What it did with each message."""
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        self._run("stop")
        shutil.rmtree(self._folder)

    def _run(self, word: str) -> None:
        subprocess.run(["postfix", "-c", str(self._folder / "etc"), word], check=True, capture_output=True)


class DiscardingPostfix(Postfix):
    """A mail host that takes everything and throws it away; its log tells what it took."""

    def __init__(self, **parameters: str) -> None:
        super().__init__(default_transport="discard:", relay_transport="discard:", **parameters)

    @property
    def message_ids(self) -> Counter[str]:
        """How often each message arrived, by its Message-ID."""
        return Counter(re.findall(r"message-id=<([^>]+)>", self.log))


class RelayingPostfix(Postfix):
    """A client: it hands all that it takes to one host."""

    def __init__(self, relay: int, **parameters: str) -> None:
        super().__init__(
            smtpd_relay_restrictions="permit_mynetworks, reject", relayhost=f"[127.0.0.1]:{relay}", **parameters
        )
