"""All that listeners share, put together from the settings."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from postroad.ingress.authenticator import Authenticator
from postroad.ingress.listener import Listener
from postroad.ingress.overload import Overload
from postroad.ingress.reception import Reception
from postroad.memory import allowance, resident, trim
from postroad.metrics import MtaMetrics
from postroad.settings.ingress import AuthSettings, ListenerSettings
from postroad.settings.mta import MtaSettings
from postroad.smtp.parts import Budget
from postroad.tenants.identities import read_identities
from postroad.tenants.lockout import Checked, Lockout
from postroad.tls.certificate import Certificate
from postroad.watched import Reloader, WatchedFiles


def check_files(settings: MtaSettings) -> list[str]:
    """Read all files that listeners need; what an operator should know of them. Raises KeyFileError, SettingsError."""
    certificates = [_certificate(listener) for listener in settings.listeners.values()]
    if settings.auth is not None:
        read_identities(settings.auth.file, settings.tenants)
    return [text for certificate in certificates if certificate is not None for text in certificate.warnings()]


class Entrance:
    """Opens the listeners, and has their files read again when they change.

    Args:
        authenticated: hears of each password that was checked here.

    Raises:
        KeyFileError, SettingsError: a file can't be used.
    """

    def __init__(
        self,
        settings: MtaSettings,
        reception: Reception,
        *,
        has_room: Callable[[], bool],
        metrics: MtaMetrics,
        log: Any,
        authenticated: Checked,
    ) -> None:
        self._settings = settings
        self._reception = reception
        self._metrics = metrics
        self._tenants = settings.all_tenants()
        self._budget = Budget(settings.limits.unfinished_messages)
        self._overload = Overload(
            memory=settings.limits.memory or allowance(),
            resident=resident,
            trim=trim,
            has_room=has_room,
            clock=asyncio.get_running_loop().time,
        )
        metrics.unfinished_octets.set_function(lambda: self._budget.used)
        metrics.resident_octets.set_function(resident)
        self._reloader = Reloader(asyncio.get_running_loop(), log)
        self._lockout = _new_lockout(settings.auth, authenticated) if settings.auth is not None else None
        self._authenticator = self._new_authenticator(log)
        self._certificates = {name: self._watched_certificate(item) for name, item in settings.listeners.items()}

    async def open(self, sockets: Sequence[socket.socket], hostname: str) -> list[Listener]:
        """Accept on these, one for each listener; `hostname` is for listeners that have no name of their own."""
        listeners = []
        for (name, settings), listening in zip(self._settings.listeners.items(), sockets, strict=True):
            listener = Listener(
                name,
                settings,
                settings.hostname or hostname,
                self._reception,
                self._metrics,
                tenants=self._tenants,
                overload=self._overload,
                budget=self._budget,
                certificate=self._certificates[name],
                authenticator=self._authenticator,
            )
            await listener.start(listening)
            listeners.append(listener)
        return listeners

    def watch(self, what: str, paths: Callable[[], Iterable[Path]], load: Callable[[], None]) -> None:
        """Have other files read again when they change."""
        self._reloader.watch(WatchedFiles(what, paths, load))

    def authenticated_elsewhere(self, address: str, identity: str, *, right: bool) -> None:
        """Another process checked a password."""
        if self._lockout is not None:
            self._lockout.note(address, identity, right=right)

    def close(self) -> None:
        """Let go of what isn't a listener's."""
        if self._authenticator is not None:
            self._authenticator.close()

    def _new_authenticator(self, log: Any) -> Authenticator | None:
        settings = self._settings.auth
        if settings is None or self._lockout is None:
            return None
        authenticator = Authenticator(settings.file, self._tenants, self._lockout, metrics=self._metrics, log=log)
        self.watch(f"identities {settings.file}", lambda: [settings.file], authenticator.reload)
        return authenticator

    def _watched_certificate(self, listener: ListenerSettings) -> Certificate | None:
        certificate = _certificate(listener)
        if certificate is not None:
            self.watch(f"certificate {certificate.chain}", lambda: certificate.files, certificate.reload)
        return certificate


def _new_lockout(settings: AuthSettings, tell: Checked) -> Lockout:
    return Lockout(
        failures=settings.max_failures,
        window=settings.failure_window,
        duration=settings.lockout,
        clock=asyncio.get_running_loop().time,
        tell=tell,
    )


def _certificate(listener: ListenerSettings) -> Certificate | None:
    if listener.tls_certificate is None:
        return None
    return Certificate(listener.tls_certificate, listener.tls_key or listener.tls_certificate)
