"""A public key given as text or as a file."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import ClassVar, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_ssh_public_key
from pydantic import Field, ValidationInfo, model_validator

from postroad_infra.settings.base import Settings
from postroad_infra.settings.placeholder import MARK

READ_FILES = "read_files"
"""Validation context: whether named files are read, too. A check before anything exists leaves them."""

# RFC 8301 section 3.2: verifiers may refuse less than 1024 bits, signers should use 2048 at least.
LEAST_RSA_BITS = 2048
ED25519_BYTES = 32

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


def expand(path: str) -> Path:
    """A path with `~`, `${NAME}` and `${NAME:-default}` replaced by the user's folder and the environment.

    Raises:
        ValueError: a variable without a default isn't set.
    """

    def value(match: re.Match[str]) -> str:
        text = os.environ.get(match["name"]) or match["default"]
        if text is None:
            raise ValueError(f"the environment variable {match['name']} isn't set")
        return text

    return Path(_VARIABLE.sub(value, path)).expanduser()


class PublicKey(Settings):
    """A public key: `public_key` or `public_key_file`, exactly one."""

    remedy: ClassVar[str]

    public_key: str | None = Field(default=None, description="the key itself")
    public_key_file: str | None = Field(
        default=None, description="a file that holds the key; ~, ${NAME} and ${NAME:-default} are replaced"
    )

    @staticmethod
    def flaw(text: str) -> str | None:
        """What is wrong with a key, if anything is."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _exactly_one(self, info: ValidationInfo) -> Self:
        if (self.public_key is None) == (self.public_key_file is None):
            raise ValueError("exactly one of public_key and public_key_file must be there")
        if self.public_key is not None or (info.context or {}).get(READ_FILES):
            self.text()
        return self

    def text(self) -> str:
        """The key.

        Raises:
            ValueError: the file can't be read, or what it holds isn't such a key.
        """
        if self.public_key is not None:
            text, origin = self.public_key.strip(), "public_key"
        else:
            path = expand(self.public_key_file or "")
            try:
                text, origin = path.read_text(encoding="ascii").strip(), str(path)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not a text"
                raise ValueError(f"public_key_file {path}: {reason}; {self.remedy}") from error
        flaw = None if MARK in text else self.flaw(text)
        if flaw:
            raise ValueError(f"{origin}: {flaw}; {self.remedy}")
        return text


class SshPublicKey(PublicKey):
    """The key that operators' SSH sessions and Ansible use."""

    remedy = "make one with ssh-keygen -t ed25519 and name its .pub file"

    @staticmethod
    def flaw(text: str) -> str | None:
        """EC2 takes RSA and Ed25519 keys in OpenSSH's format."""
        try:
            key = load_ssh_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            return f"it isn't a public key in OpenSSH's format ({error})"
        return None if isinstance(key, RSAPublicKey | Ed25519PublicKey) else "EC2 takes RSA and Ed25519 keys only"


class DkimPublicKey(PublicKey):
    """The public half of a DKIM key: the base64 text of the record's `p=` (RFC 6376 3.6.1, RFC 8463)."""

    remedy = "write the base64 text that the record's p= shall have"

    selector: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="the selector, one DNS label", examples=["p1"]
    )

    @staticmethod
    def flaw(text: str) -> str | None:
        """RSA of 2048 bits or more, or Ed25519."""
        try:
            octets = base64.b64decode(text, validate=True)
        except binascii.Error:
            return "it isn't base64"
        if len(octets) == ED25519_BYTES:
            return None
        try:
            key = load_der_public_key(octets)
        except (ValueError, UnsupportedAlgorithm):
            return "it is neither an RSA nor an Ed25519 public key"
        if not isinstance(key, RSAPublicKey):
            return "it is neither an RSA nor an Ed25519 public key"
        return None if key.key_size >= LEAST_RSA_BITS else f"{key.key_size} bits are too few: {LEAST_RSA_BITS} at least"

    def algorithm(self) -> str:
        """The record's `k=`: `rsa` or `ed25519`."""
        text = self.text()
        return "ed25519" if MARK not in text and len(base64.b64decode(text)) == ED25519_BYTES else "rsa"
