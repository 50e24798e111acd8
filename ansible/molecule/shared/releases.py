"""Build stand-in releases into a folder: `good`, `better`, `crash`; ids in `releases.json`, the key in `key.pub`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from postroad_ops.package import package

FIXTURE = Path(__file__).resolve().parents[3] / "tests" / "ansible" / "fixture"


def main(folder: Path) -> None:
    """Build all."""
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    lock = folder / "lock.txt"
    lock.write_text("")
    ids = {}
    for name, start in (("good", "serve"), ("better", "serve"), ("crash", "crash")):
        source = folder / f"source-{name}"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(FIXTURE, source)
        (source / "postroad" / "behaviour.py").write_text(f'"""The release called {name}."""\n\nSTART = "{start}"\n')
        ids[name] = package(folder, source=source, lock=lock, key=key).id
    (folder / "releases.json").write_text(json.dumps(ids))


main(Path(sys.argv[1]))
