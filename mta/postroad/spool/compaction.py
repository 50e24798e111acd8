"""When the oldest segment is worth rewriting."""

SEGMENTS_FREE = 4
"""So many full segments may lie around before anything is rewritten."""


def should_compact(*, segments: int, octets: int, live_octets: int, segment_size: int) -> bool:
    """Whether to move what still lives in the oldest segment to the newest and remove it.

    Segments go oldest first (an outcome may lie in any later segment than its message), so one old message holds
    all that follow it. Rewriting when less than half is wanted costs each message at most one copy per halving.
    """
    if segments < 2:
        return False
    if octets > 2 * live_octets + SEGMENTS_FREE * segment_size:
        return True
    # Restarts leave small segments: bound their number too.
    return segments > 64 + 2 * (live_octets // segment_size)
