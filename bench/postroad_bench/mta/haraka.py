"""Haraka, one process, its mail through its own outbound queue."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from postroad_ops import places
from postroad_ops.faults import OperationError

from postroad_bench.mta import packages
from postroad_bench.mta.server import Server, Task, process, wait_for_greeting

PLUGIN = places.ROOT / "bench" / "haraka" / "smart_host.js"


class Haraka:
    """Haraka 3.1.1 with one plugin: whoever connects may relay, and all mail goes to the sink.

    It syncs nothing before its 250. `Task.hold` needs a sink that never greets, as for ours. It isn't asked to sign.
    """

    name = "haraka"

    def missing(self) -> str | None:
        """Why it isn't here, once npm was asked."""
        found = packages.haraka()
        return found if isinstance(found, str) else None

    @contextlib.contextmanager
    def running(self, task: Task) -> Iterator[Server]:
        """One in the task's folder."""
        installed = packages.haraka()
        if isinstance(installed, str):
            raise OperationError(f"Haraka can't run: {installed}", remedy="leave it out")
        config, log = task.folder / "config", task.folder / "haraka.log"
        for folder in (config, task.folder / "plugins", task.folder / "queue"):
            folder.mkdir()
        package = installed / "node_modules" / "Haraka"
        shutil.copyfile(PLUGIN, task.folder / "plugins" / "smart_host.js")
        shutil.copyfile(package / "config" / "connection.ini", config / "connection.ini")
        for name, text in {
            "smtp.ini": f"listen=127.0.0.1:{task.port}\nnodes=0\n[headers]\n",
            "me": "haraka.bench.test\n",
            "plugins": "smart_host\n",
            "log.ini": "[main]\nlevel=NOTICE\n",
            "outbound.ini": "local_mx_ok=true\n",
            "smart_host": f"127.0.0.1:{task.sink}\n",
        }.items():
            (config / name).write_text(text)
        command = ["node", str(package / "bin" / "haraka"), "-c", str(task.folder)]
        with process(command, log=log, cwd=task.folder) as pid:
            wait_for_greeting(task.port, name=self.name, log=log, pid=pid)
            yield Server(task.port, [pid])
