"""One answer made of those of all workers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_TOP = 20
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.+)")


def first(parts: Sequence[Json]) -> Json:
    """What one worker has and no other."""
    return parts[0]


def queue(parts: Sequence[Json]) -> dict[str, Any]:
    """`GET /queue`: sums, and sites and domains by name."""
    whole: dict[str, Any] = {
        key: sum(part[key] for part in parts) for key in ("messages", "scheduled", "ready", "in_flight", "spool_octets")
    }
    whole["oldest_seconds"] = max(part["oldest_seconds"] for part in parts)
    sites: dict[str, dict[str, Any]] = {}
    for item in _all(parts, "sites"):
        known = sites.setdefault(item["site"], {"site": item["site"], "ready": 0, "connections": 0})
        known["ready"] += item["ready"]
        known["connections"] += item["connections"]
    domains: dict[str, dict[str, Any]] = {}
    for item in _all(parts, "domains"):
        known = domains.setdefault(item["domain"], {**item, "recipients": 0})
        known["recipients"] += item["recipients"]
        known["next_attempt_in"] = min(known["next_attempt_in"], item["next_attempt_in"])
        known["last_reply"] = known["last_reply"] or item["last_reply"]
    whole["sites"] = sorted(sites.values(), key=lambda item: -item["ready"])[:_TOP]
    whole["domains"] = sorted(domains.values(), key=lambda item: -item["recipients"])[:_TOP]
    return whole


def top(parts: Sequence[Json]) -> dict[str, Any]:
    """`GET /queue/top`: rows of one name added up; the most first, or the oldest, as each worker had them."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for item in _all(parts, "queues"):
        known = rows.get(tuple(item["name"]))
        if known is None:
            rows[tuple(item["name"])] = dict(item)
            continue
        larger = max(known, item, key=lambda row: row["deliveries"])
        known |= {key: larger[key] for key in ("next_attempt_in", "last_reply")}
        known |= {key: known[key] + item[key] for key in ("deliveries", "recipients")}
        known["oldest_seconds"] = max(known["oldest_seconds"], item["oldest_seconds"])
    order = {"count": "deliveries", "age": "oldest_seconds"}[parts[0]["first"]]
    queues = sorted(rows.values(), key=lambda row: -row[order])[: parts[0]["limit"]]
    return {key: parts[0][key] for key in ("by", "first", "limit")} | {"queues": queues}


def orders(parts: Sequence[Json]) -> dict[str, Any]:
    """`GET /orders`: each order once; all workers know it by one number."""
    return {"orders": list({item["id"]: item for item in reversed(_all(parts, "orders"))}.values())}


def order(parts: Sequence[Json]) -> dict[str, Any]:
    """An order that was given or lifted, with the sums of what that did."""
    return {"order": parts[0]["order"]} | {
        key: sum(part[key] for part in parts) for key in ("stopped", "due") if key in parts[0]
    }


def total(parts: Sequence[Json]) -> dict[str, Any]:
    """The sum of each number."""
    return {key: sum(part[key] for part in parts) for key in parts[0]}


def drain(parts: Sequence[Json]) -> dict[str, Any]:
    """Progress of a drain: the host may go when every worker says so."""
    whole: dict[str, Any] = {key: sum(part[key] for part in parts) for key in _SUMS if key in parts[0]}
    whole |= {key: all(part[key] for part in parts) for key in ("draining", "safe")}
    whole |= {key: any(part[key] for part in parts) for key in ("accepting", "delivering")}
    whole["since"] = min((part["since"] for part in parts if part["since"]), default=0.0)
    whole["waiting_for"] = [
        f"worker {number}: {reason}" for number, part in enumerate(parts, 1) for reason in part["waiting_for"]
    ]
    targets: dict[str, dict[str, Any]] = {}
    for item in _all(parts, "targets"):
        known = targets.setdefault(item["address"], dict(item))
        if known["reason"] == "" and item["reason"]:
            known |= {"state": item["state"], "reason": item["reason"]}
    for address, known in targets.items():
        known["moved"] = sum(item["moved"] for item in _all(parts, "targets") if item["address"] == address)
    whole["targets"] = list(targets.values())
    return whole


_SUMS = ("messages", "offered", "moved", "in_flight", "sessions", "taken_back")


def metrics(parts: Mapping[int, str]) -> str:
    """Metrics in the text format, each sample with the number of its worker as a label."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in parts.items():
        family = ""
        for line in text.splitlines():
            if line.startswith("# "):
                _, kind, family, *_ = line.split(" ", 3)
                known = heads.setdefault(family, [])
                if kind in ("HELP", "TYPE") and line not in known:
                    known.append(line)
            elif (match := _SAMPLE.fullmatch(line)) is not None:
                name, labels, value = match.groups()
                labels = f'{labels},worker="{number}"' if labels else f'worker="{number}"'
                samples.setdefault(family, []).append(f"{name}{{{labels}}} {value}")
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    return "".join(f"{line}\n" for line in lines)


def _all(parts: Iterable[Json], key: str) -> list[dict[str, Any]]:
    return [item for part in parts for item in part[key]]
