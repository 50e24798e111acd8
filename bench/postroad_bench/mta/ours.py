"""Our MTA as it is shipped: every setting at its default, its log lines in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from postroad_ops import places

from postroad_bench.mta.server import Server, Task, free_port, process, wait_for_greeting

NAME = "postroad"


class Postroad:
    """One MTA, in one process unless it is to have several workers.

    It has no way to only accept, so for `Task.hold` the sink must be one that never greets: what is accepted then waits
    in the ready queue, which is more work than Postfix has, whose held mail goes to no queue manager.

    Args:
        routing: the lines of `[routing]`, and sections behind it; the sink as smart host if left out.
        workers: its processes; with several a supervisor comes on top.
    """

    def __init__(self, *, routing: Sequence[str] = (), workers: int = 1) -> None:
        self.name = NAME if workers == 1 else f"{NAME}-{workers}-workers"
        self._routing = routing
        self._workers = workers

    def missing(self) -> str | None:
        """It is always here."""
        return None

    @contextlib.contextmanager
    def running(self, task: Task) -> Iterator[Server]:
        """One in the task's folder; a spool that is there is taken up."""
        config, log = task.folder / "mta.toml", task.folder / "postroad.log"
        config.write_text(self._config(task))
        command = [places.program("postroad-mta"), "run", "--config", str(config)]
        with process(command, log=log, cwd=task.folder) as pid:
            wait_for_greeting(task.port, name=self.name, log=log, pid=pid)
            yield Server(task.port, [pid])

    def _config(self, task: Task) -> str:
        routing = self._routing or [f'smart_host = "127.0.0.1:{task.sink}"']
        lines = [
            f"workers = {self._workers}",
            "[listeners.submission]",
            f'address = "127.0.0.1:{task.port}"',
            # As in use: mail is a tenant's, and its From is looked at.
            'relay_from = [{ network = "127.0.0.0/8", tenant = "bench" }]',
            'hostname = "postroad.bench.test"',
            "[tenants.bench]",
            'domains = ["bench.test"]',
            "[spool]",
            f'path = "{task.folder / "spool"}"',
            "[admin]",
            f'address = "127.0.0.1:{free_port()}"',
            "[routing]",
            *routing,
        ]
        if task.key is not None:
            lines += ["[[dkim.keys]]", 'domain = "bench.test"', 'selector = "s"', f'file = "{task.key}"']
        return "\n".join(lines) + "\n"
