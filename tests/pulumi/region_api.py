"""The region's own API on a loopback port, with state and authority in a folder: `region_api.py PORT FOLDER`."""

import socket
import sys
import threading
from pathlib import Path

from postroad_region.api import seed


def serve(port: int, folder: Path) -> None:
    """Answer until the process ends; says so on standard output."""
    seed.prepare(folder / "api")
    # moto reads its environment when it is imported.
    from postroad_region.api import certificates, patches  # noqa: F401
    from postroad_region.api.server import Api
    from postroad_region.api.state import StateFile
    from postroad_region.ca import ensure_authority

    authority = ensure_authority(folder / "ca")
    certificates.authority = lambda: authority
    state = StateFile(folder / "api")
    state.load()
    Api(state, lambda: None).serve(socket.create_server(("127.0.0.1", port), backlog=64), "api")
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
