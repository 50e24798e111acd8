"""The API's state on disk: one file, replaced as a whole before a change is answered; S3 bodies beside it by their
hash.

An answer to a change means that a SIGKILL in the next instant loses nothing of it. One save serves all changes that
were made while the previous one ran.
"""

from __future__ import annotations

import copy
import hashlib
import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import dill
import moto.backends
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from moto.s3.models import FakeKey
from moto.ssm.models import ParameterDict

from postroad_region.errors import RegionError

FORMAT = 1
# KMS keys are held as these, which don't pickle.
PRIVATE_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
LOCKS: dict[type, Callable[[], Any]] = {
    threading.Condition: threading.Condition,
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}
"""What is made in the place of a lock; nobody holds one in a daemon that has just started."""
SERVICES = (
    "acm",
    "autoscaling",
    "cloudwatch",
    "ec2",
    "elbv2",
    "events",
    "iam",
    "kms",
    "logs",
    "route53",
    "s3",
    "service-quotas",
    "sns",
    "sqs",
    "ssm",
    "sts",
)


class StateFile:
    """Loads and saves the backends of all services together, so that what refers to one another stays one object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "state"
        self._objects = folder / "objects"
        self._writing = threading.Lock()
        self._changes = 0
        self._saved = 0

    def load(self) -> bool:
        """Bring the backends to the saved state; False where nothing was saved.

        Raises:
            RegionError: the file was written by another version or can't be read.
        """
        self._objects.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            return False
        try:
            with self._file.open("rb") as file:
                unpickler = _Unpickler(file, self._objects)
                saved = unpickler.load()
        except Exception as error:
            raise RegionError(
                f"{self._file} can't be read ({type(error).__name__}: {error})", remedy="run: make down && make up"
            ) from error
        if saved.get("format") != (FORMAT, moto.__version__):
            raise RegionError(
                f"{self._file} was written with {saved.get('format')}, this is {(FORMAT, moto.__version__)}",
                remedy="run: make down && make up",
            )
        for service, accounts in saved["services"].items():
            backends = moto.backends.get_backend(service)
            for account, regions in accounts.items():
                for region, backend in regions.items():
                    dict.__setitem__(backends[account], region, backend)
        for path in self._objects.iterdir():
            if path.name not in unpickler.used:
                path.unlink()
        return True

    def changed(self) -> int:
        """Note a change; its number is what `wait_saved` takes. Call it while no other request changes the backends."""
        self._changes += 1
        return self._changes

    def wait_saved(self, number: int, api_lock: threading.RLock) -> None:
        """Return when the change is on disk, saving it where no other thread has."""
        with self._writing:
            if self._saved >= number:
                return
            with api_lock:
                covered = self._changes
                image = self._dump()
            self._write(image)
            self._saved = covered

    def _dump(self) -> bytes:
        services = {service: dict(_accounts(service)) for service in SERVICES}
        buffer = io.BytesIO()
        _Pickler(buffer, self._objects).dump({"format": (FORMAT, moto.__version__), "services": services})
        return buffer.getvalue()

    def _write(self, image: bytes) -> None:
        partial = self._file.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._file)
        _sync_folder(self._folder)


class _Pickler(pickle.Pickler):
    # The one in C: the API answers nobody meanwhile, and dill's own, in Python, takes 16 times as long (ADR 23).
    def __init__(self, file: io.BytesIO, objects: Path) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._objects = objects

    def persistent_id(self, obj: Any) -> str | None:
        """S3 bodies live in files of their own, named by their hash and written once."""
        return obj.saved_in(self._objects) if isinstance(obj, _Body) else None

    def reducer_override(self, obj: Any) -> Any:
        kind: type = type(obj)
        reduce = _reducer(kind)
        return NotImplemented if reduce is None else reduce(obj)


@cache
def _reducer(kind: type) -> Callable[[Any], Any] | None:
    """How what pickle can't take, or not as it is meant, becomes a callable and its arguments."""
    if issubclass(kind, ParameterDict):
        return _reduced_parameters
    if issubclass(kind, PRIVATE_KEYS):
        return _reduced_private_key
    if kind in LOCKS:
        return _reduced_lock
    if issubclass(kind, x509.Certificate):
        return _reduced_certificate
    if kind is FunctionType:
        return _reduced_function
    return None


def _reduced_parameters(store: ParameterDict) -> Any:
    # A defaultdict whose constructor takes other arguments than its base's reducer gives.
    return (_parameters, (dict(store.__dict__), [(key, list(value)) for key, value in dict.items(store)]))


def _reduced_private_key(key: Any) -> Any:
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    return (_private_key, (key.private_bytes(encoding, form, serialization.NoEncryption()),))


def _reduced_lock(lock: Any) -> Any:
    return (LOCKS[type(lock)], ())


def _reduced_certificate(certificate: x509.Certificate) -> Any:
    return (_certificate, (certificate.public_bytes(serialization.Encoding.DER),))


def _reduced_function(function: FunctionType) -> Any:
    """A default's factory that has no name to find it by, as in SSM's; one that holds objects would split them."""
    if function.__name__ != "<lambda>" or function.__closure__:
        return NotImplemented
    return (dill.loads, (dill.dumps(function),))


class _Unpickler(dill.Unpickler):
    def __init__(self, file: Any, objects: Path) -> None:
        super().__init__(file)
        self._objects = objects
        self.used: set[str] = set()

    def persistent_load(self, pid: str) -> bytes:
        self.used.add(pid)
        return (self._objects / pid).read_bytes()


class _Body:
    """The value of an S3 object on its way to the state file."""

    def __init__(self, key: FakeKey) -> None:
        self._key = key

    def saved_in(self, objects: Path) -> str:
        """The body's hash; the file of that name holds it when this returns."""
        known: str | None = self._key.__dict__.get(SAVED_AS)
        if known:
            return known
        value: bytes = self._key.value
        digest = hashlib.sha256(value).hexdigest()
        path = objects / digest
        if not path.exists():
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            _sync_folder(objects)
        self._key.__dict__[SAVED_AS] = digest
        return digest


# An attribute of an S3 object: the hash that its body is saved under, until the body changes.
SAVED_AS = "postroad_saved_as"


def _key_state(key: FakeKey) -> dict[str, Any]:
    state = {name: value for name, value in key.__dict__.items() if name not in {"_value_buffer", "lock", SAVED_AS}}
    state["value"] = b"" if key.disposed else _Body(key)
    return state


def _set_value(key: FakeKey, value: bytes) -> None:
    key.__dict__.pop(SAVED_AS, None)
    _original_set_value(key, value)


def _copied(key: FakeKey, memo: dict[int, Any]) -> FakeKey:
    """A copy as moto makes it when it lists versions: with its content, which isn't on its way to the file."""
    made: FakeKey = FakeKey.__new__(FakeKey)
    memo[id(key)] = made
    made.__setstate__(copy.deepcopy(_original_key_state(key), memo))
    return made


_original_key_state = FakeKey.__getstate__
_original_set_value = FakeKey.value.fset
FakeKey.value = FakeKey.value.setter(_set_value)
FakeKey.__getstate__ = _key_state
FakeKey.__deepcopy__ = _copied


def _private_key(der: bytes) -> Any:
    return serialization.load_der_private_key(der, password=None)


def _certificate(der: bytes) -> Any:
    return x509.load_der_x509_certificate(der)


def _parameters(attributes: dict[str, Any], items: list[tuple[str, list[Any]]]) -> Any:
    store = ParameterDict.__new__(ParameterDict)
    store.__dict__.update(attributes)
    for key, value in items:
        dict.__setitem__(store, key, value)
    return store


def _accounts(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    backends = moto.backends.get_backend(service)
    for account in list(dict.keys(backends)):
        yield account, dict(dict.items(backends[account]))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
