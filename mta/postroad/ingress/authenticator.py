"""Whether clients are who they say: passwords are checked off the event loop, and not each time anew."""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from postroad.metrics import MtaMetrics
from postroad.smtp.sasl import Credentials
from postroad.tenants.identities import Identity, read_identities
from postroad.tenants.lockout import Lockout
from postroad.tenants.passwords import PasswordHash
from postroad.tenants.tenant import Tenant

REMEMBERED_SECONDS = 60.0
"""So long a password that was right is known to be."""
MAX_REMEMBERED = 10_000
THREADS = 2
MAX_WAITING = 64
"""Different passwords that wait for a check; more get 454."""

LOCKED = b"454 4.7.0 too many failed authentications, try again later"
BUSY = b"454 4.7.0 temporary authentication failure, try again later"
INVALID = b"535 5.7.8 authentication credentials invalid"

Done = Callable[[Tenant | bytes], None]
"""Takes the tenant whose mail the client sends, or the reply that refuses it."""


class Authenticator:
    """Answers AUTH attempts of all listeners.

    Args:
        path: the file of identities.

    Raises:
        SettingsError: the file can't be used.
    """

    def __init__(
        self, path: Path, tenants: Mapping[str, Tenant], lockout: Lockout, *, metrics: MtaMetrics, log: Any
    ) -> None:
        self.path = path
        self._tenants = tenants
        self._lockout = lockout
        self._metrics = metrics
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        # Right passwords are remembered as a digest that is worth nothing outside of this process.
        self._secret = os.urandom(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._waiting: dict[bytes, list[Callable[[bool], None]]] = {}
        # Checked for names that aren't there, so that the time tells nothing about which are.
        self._nobody = PasswordHash.of("")
        self._identities: dict[str, Identity] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file again. Raises SettingsError; what was read before stays."""
        self._identities = read_identities(self.path, self._tenants)

    def authenticate(self, credentials: Credentials, peer: str, done: Done) -> None:
        """Check who a client is; `done` is called at once or later, exactly once."""
        name = credentials.identity
        if self._lockout.locked(peer, name):
            self._count("locked")
            done(LOCKED)
            return
        identity = self._identities.get(name)
        stored = identity.password if identity is not None else self._nobody
        key = self._key(stored, credentials.password)
        if identity is not None and self._remembered.get(key, 0.0) > self._loop.time():
            self._count("remembered")
            done(self._tenants[identity.tenant])
            return

        def checked(right: bool) -> None:
            if right and identity is not None:
                self._count("accepted")
                self._lockout.succeeded(peer, name)
                done(self._tenants[identity.tenant])
                return
            self._count("refused")
            locked = self._lockout.failed(peer, name)
            self._log.warning("authentication_failed", peer=peer, identity=name, locked=locked)
            done(INVALID)

        if key in self._waiting:
            # Many connections of one client at once cost one check.
            self._waiting[key].append(checked)
        elif len(self._waiting) >= MAX_WAITING:
            self._count("busy")
            done(BUSY)
        else:
            self._waiting[key] = [checked]
            check = self._loop.run_in_executor(self._threads, stored.verify, credentials.password)
            check.add_done_callback(lambda answer: self._checked(key, answer))

    def close(self) -> None:
        """Check nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _checked(self, key: bytes, answer: "asyncio.Future[bool]") -> None:
        right = not answer.cancelled() and answer.exception() is None and answer.result()
        if right:
            self._remembered[key] = self._loop.time() + REMEMBERED_SECONDS
            self._remembered.move_to_end(key)
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        for each in self._waiting.pop(key):
            each(right)

    def _key(self, stored: PasswordHash, password: str) -> bytes:
        """What stands for a password and the hash that it was checked against: another hash is another key."""
        return hmac.digest(self._secret, stored.salt + stored.digest + password.encode(), hashlib.sha256)

    def _count(self, outcome: str) -> None:
        self._metrics.authentications.labels(outcome).inc()
