"""Build releases into a folder: stand-ins `good`, `better`, `crash`, or this checkout's, `mta`.

Their ids are in `releases.json` then, and the key that signed them in `key.pub`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from postroad_ops.package import package

FIXTURE = Path(__file__).resolve().parents[3] / "tests" / "ansible" / "fixture"


def stand_ins(folder: Path, key: Path) -> dict[str, str]:
    """The ids of releases that only seem to be an MTA, by name."""
    lock = folder / "lock.txt"
    lock.write_text("")
    ids = {}
    for name, start in (("good", "serve"), ("better", "serve"), ("crash", "crash")):
        source = folder / f"source-{name}"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(FIXTURE, source)
        (source / "postroad" / "behaviour.py").write_text(f'"""The release called {name}."""\n\nSTART = "{start}"\n')
        ids[name] = package(folder, source=source, lock=lock, key=key).id
    return ids


def main(folder: Path, *, real: bool) -> None:
    """Build all."""
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    ids = {"mta": package(folder, key=key).id} if real else stand_ins(folder, key)
    (folder / "releases.json").write_text(json.dumps(ids))


main(Path(sys.argv[1]), real="mta" in sys.argv[2:])
