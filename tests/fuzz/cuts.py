"""A stream in pieces: what a peer's TCP may make of it."""

import random
from collections.abc import Iterator


def pieces(stream: bytes, seed: int) -> list[bytes]:
    """Cut at random places, the same ones for the same seed."""
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.choice((1, 2, 5, 20))))
    return [part for part in map(lambda a, b: stream[a:b], [0, *cuts], [*cuts, len(stream)]) if part]


def octets(stream: bytes) -> list[bytes]:
    """One by one."""
    return [stream[at : at + 1] for at in range(len(stream))]


def lines(stream: bytes) -> list[bytes]:
    """Line by line."""
    return [part for part in stream.splitlines(keepends=True) if part]


def ways(stream: bytes, seed: int) -> Iterator[list[bytes]]:
    """Several cuts of a stream; the first one is none, the last one, of odd seeds, into single octets."""
    yield [stream] if stream else []
    yield pieces(stream, seed)
    if seed % 2:
        yield octets(stream)
