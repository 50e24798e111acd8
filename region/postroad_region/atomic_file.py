"""Files that are either the old or the new content, whenever the writer is killed."""

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes, *, mode: int = 0o644) -> bool:
    """Make `path` hold `content`; False when it did already (and then it isn't touched, its time neither).

    The folder must exist. Readers see the whole old or the whole new file; what a killed writer leaves is
    `.<name>.new` beside it, which the next writer overwrites.
    """
    octets = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == octets:
            return False
    except FileNotFoundError:
        pass
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return True
