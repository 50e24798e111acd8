"""Postfix's own sink as a mail host."""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from daemons import free_port, listens, wait_until

_ID = re.compile(rb"^X-Id: ([^\r\n]+)", re.MULTILINE)


class PostfixSink:
    """smtp-sink, which keeps what it takes in files; `options` are its own (-q, -Q, -r, -f and so on)."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        # Not under pytest's folder, which is for root alone: the sink gives up its rights.
        self._folder = Path(tempfile.mkdtemp(prefix="postroad-sink-"))
        shutil.chown(self._folder, "nobody")
        command = ["smtp-sink", "-u", "nobody", "-d", f"{self._folder}/", *options, f"127.0.0.1:{self.port}", "100"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port), what="smtp-sink listens")

    @property
    def ids(self) -> Counter[str]:
        """How often each message arrived, by its X-Id."""
        found = (_ID.search(path.read_bytes()) for path in self._folder.iterdir())
        return Counter(match[1].decode() for match in found if match is not None)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._folder)
