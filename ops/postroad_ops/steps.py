"""Long work, step by step: one line each on the way, all output in a log, the tail of it when a step fails."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from postroad_ops.faults import OperationError

Result = TypeVar("Result")
TAIL_LINES = 25


class Steps:
    """Runs the steps of one operation; `log` gets what their commands print."""

    def __init__(self, console: Console, log: Path, *, verbose: bool = False) -> None:
        self._console = console
        self._log = log
        self._verbose = verbose
        self._began = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def run(
        self,
        title: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        remedy: str,
        summary: Callable[[str], str] | None = None,
    ) -> str:
        """Run a command as a step; its output.

        Args:
            title: what the line says.
            remedy: the command that continues when this one fails.
            summary: makes a short note for the line out of the output.

        Raises:
            OperationError: it failed; the tail of its output has been shown.
        """
        began = time.monotonic()
        self._say(f"{title} …", end="\r")
        environ = {**os.environ, **(environment or {})}
        with self._log.open("a") as log:
            log.write(f"\n$ {' '.join(command)}\n")
        child = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        if child.stdout is None:  # pragma: no cover - PIPE was asked for
            raise RuntimeError("no output pipe")
        with self._log.open("a") as log:
            for line in child.stdout:
                lines.append(line)
                log.write(line)
                log.flush()
                if self._verbose:
                    self._console.out(line, end="", highlight=False)
        code = child.wait()
        output = "".join(lines)
        took = time.monotonic() - began
        if code != 0:
            self._say(f"[red]✗[/] {title} [dim]{took:.1f} s[/]")
            if not self._verbose:
                self._console.out("".join(lines[-TAIL_LINES:]), end="", highlight=False)
            raise OperationError(f"{title} failed with exit code {code} (all output: {self._log})", remedy=remedy)
        note = f" [dim]{summary(output)}[/]" if summary else ""
        self._say(f"[green]✓[/] {title} [dim]{took:.1f} s[/]{note}")
        return output

    def call(
        self, title: str, action: Callable[[], Result], *, summary: Callable[[Result], str] | None = None
    ) -> Result:
        """Run a function as a step; its result."""
        began = time.monotonic()
        self._say(f"{title} …", end="\r")
        try:
            result = action()
        except Exception:
            self._say(f"[red]✗[/] {title} [dim]{time.monotonic() - began:.1f} s[/]")
            raise
        note = f" [dim]{summary(result)}[/]" if summary else ""
        self._say(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]{note}")
        return result

    @property
    def seconds(self) -> float:
        """Since the operation began."""
        return time.monotonic() - self._began

    def _say(self, text: str, *, end: str = "\n") -> None:
        if end == "\r" and not self._console.is_terminal:
            return
        self._console.print(text, end=end, highlight=False, soft_wrap=True)
