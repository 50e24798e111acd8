"""How the fabric's nftables text is put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def table(name: str, body: Iterable[str]) -> str:
    """A script for `nft -f` that replaces a table as a whole, in one transaction."""
    return "\n".join([f"table ip {name}", f"delete table ip {name}", f"table ip {name} {{", *body, "}", ""])


def no_table(name: str) -> str:
    """A script that removes a table, whether it is there or not."""
    return f"table ip {name}\ndelete table ip {name}\n"


def chain(name: str, rules: Iterable[str], *, hook: str = "") -> Iterator[str]:
    """A chain; with `hook` a base chain."""
    yield f"    chain {name} {{"
    if hook:
        yield f"        {hook}"
    yield from (f"        {rule}" for rule in rules)
    yield "    }"


def named_set(name: str, kind: str, members: Iterable[str]) -> str:
    """A set of one type, perhaps empty."""
    listed = ", ".join(members)
    elements = f" elements = {{ {listed} }};" if listed else ""
    return f"    set {name} {{ type {kind};{elements} }}"


def quoted(names: Iterable[str]) -> Iterator[str]:
    """Interface names as nft wants them."""
    return (f'"{name}"' for name in names)


def dispatch(selector: str, verdicts: Iterable[tuple[str, str]]) -> list[str]:
    """One rule that looks the selector up and takes the verdict beside it; none for nothing to look up."""
    listed = ", ".join(f"{key} : {verdict}" for key, verdict in verdicts)
    return [f"{selector} vmap {{ {listed} }}"] if listed else []


def identifier(aws_id: str) -> str:
    """An AWS id as nft takes it for a name."""
    return aws_id.replace("-", "_")
