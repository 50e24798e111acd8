"""What goes wrong now: the script's incidents and those an operator began."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from postroad_region.atomic_file import write_atomically
from postroad_region.world.clock import Clock
from postroad_region.world.definition.incidents import Incident, Kind, ScriptedIncident

_NEVER = float("inf")
_KEPT = 100


@dataclass(frozen=True, slots=True)
class Running:
    """An incident in its time.

    Args:
        id: of the script's `script-<n>`, else `<n>`.
        began: world time, as `ends`.
    """

    id: str
    incident: Incident
    began: float
    ends: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `incident` without what is left at its default."""
        incident = self.incident.model_dump(exclude_defaults=True)
        return {"id": self.id, "began": self.began, "ends": self.ends, **incident}


class Incidents:
    """All incidents of a world, by its clock.

    Args:
        file: keeps those of the operator over a restart.
        changed: called when the ones that run have changed.
    """

    def __init__(self, file: Path, script: Sequence[ScriptedIncident], clock: Clock) -> None:
        self._file = file
        self._script = script
        self._clock = clock
        self._posted, self._counter = self._kept()
        self._running: list[Running] = []
        self._next_change = 0.0
        self.changed: Callable[[], None] = lambda: None

    def begin(self, incident: Incident) -> Running:
        """Let one begin now."""
        now = self._clock.now()
        self._counter += 1
        running = Running(str(self._counter), incident, now, now + incident.duration)
        self._posted = [*(each for each in self._posted if each.ends > now), running][-_KEPT:]
        self._keep()
        self._refresh()
        return running

    def end(self, name: str) -> bool:
        """End one that an operator began; False if there is none of that id."""
        left = [each for each in self._posted if each.id != name]
        found = len(left) < len(self._posted)
        self._posted = left
        self._keep()
        self._refresh()
        return found

    def running(self) -> list[Running]:
        """Those of now."""
        if self._clock.now() >= self._next_change:
            self._refresh()
        return self._running

    def of(self, provider: str, kind: Kind) -> Incident | None:
        """One of a kind that concerns a provider."""
        for each in self.running():
            if each.incident.kind == kind and each.incident.provider in (None, provider):
                return each.incident
        return None

    def all_of(self, provider: str, kind: Kind) -> list[Incident]:
        """All of a kind that concern a provider."""
        return [
            each.incident
            for each in self.running()
            if each.incident.kind == kind and each.incident.provider in (None, provider)
        ]

    def next_change(self) -> float:
        """World time at which another set of incidents runs; infinite if none is known."""
        self.running()
        return self._next_change

    def reset(self) -> None:
        """End the operator's; the script follows the clock."""
        self._posted = []
        self._keep()
        self._refresh()

    def refresh(self) -> None:
        """Look again: the clock was set."""
        self._refresh()

    def _refresh(self) -> None:
        now = self._clock.now()
        begins = [self._clock.began + each.at for each in self._script]
        scripted = [
            Running(f"script-{number}", incident, begin, begin + incident.duration)
            for number, (incident, begin) in enumerate(zip(self._script, begins, strict=True), 1)
        ]
        known = [*scripted, *self._posted]
        running = [each for each in known if each.began <= now < each.ends]
        changes = [moment for each in known for moment in (each.began, each.ends) if moment > now]
        self._next_change = min(changes, default=_NEVER)
        if running != self._running:
            self._running = running
            self.changed()

    def _keep(self) -> None:
        kept = [
            {"id": each.id, "began": each.began, "ends": each.ends, "incident": each.incident.model_dump()}
            for each in self._posted
        ]
        write_atomically(self._file, json.dumps({"counter": self._counter, "posted": kept}))

    def _kept(self) -> tuple[list[Running], int]:
        try:
            kept = json.loads(self._file.read_text())
            posted = [
                Running(each["id"], Incident.model_validate(each["incident"]), each["began"], each["ends"])
                for each in kept["posted"]
            ]
            return posted, int(kept["counter"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return [], 0
