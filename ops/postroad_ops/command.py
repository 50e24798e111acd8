"""The operator's own command, run as a process: for tests and drills."""

from __future__ import annotations

import subprocess

from postroad_ops import places


class Operator:
    """Runs `postroad-ops` in this checkout, without a terminal."""

    def __call__(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command.

        Args:
            expect: the exit code that it must have; None for any.

        Raises:
            AssertionError: it ended otherwise; what it printed is in the message.
        """
        done = subprocess.run(
            [places.program("postroad-ops"), *arguments],
            cwd=places.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            said = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}, not {expect}\n{said}")
        return done
