"""The admin port as seen by the `postroad` command."""

import os
import ssl
from pathlib import Path
from typing import Any

import httpx

DEFAULT = "http://127.0.0.1:8025"
HOST_TOKEN = Path("/etc/postroad/token")
"""Where a host of a stack has the token of its MTA."""


class AdminError(RuntimeError):
    """The admin port can't be asked; the text says why and what to do."""


class UnreachableError(AdminError):
    """Nobody answers there."""


class AdminClient:
    """Asks the MTA that POSTROAD_ADMIN names: `http://host:port`, or `https://host:port` where it speaks TLS.

    With TLS the MTA's certificate is verified by the authorities in POSTROAD_CA, or by the system's; the client shows
    the certificate of POSTROAD_CERT with the key of POSTROAD_KEY, if they are set (PEM, the key unencrypted; both may
    be in one file).

    Args:
        token_file: holds the bearer token; without one POSTROAD_TOKEN is it, or the content of POSTROAD_TOKEN_FILE, or
            what the host has at `/etc/postroad/token`, if the caller may read it.
    """

    def __init__(self, token_file: Path | None = None) -> None:
        self.url = os.environ.get("POSTROAD_ADMIN", DEFAULT).rstrip("/")
        token = _token(token_file)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = httpx.Client(
                base_url=self.url, headers=headers, timeout=10.0, trust_env=False, verify=_tls(self.url)
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise AdminError(
                f"POSTROAD_ADMIN={self.url}: {error}: write http://host:port or https://host:port"
            ) from None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer; `body` is sent as JSON.

        Raises:
            UnreachableError: nobody answers.
            AdminError: there is none.
        """
        response = self._request(method, path, body)
        if response.status_code == 401:
            raise AdminError(
                f"{self.url} wants a token: set POSTROAD_TOKEN_FILE to the file of [admin] token_file, "
                "or POSTROAD_TOKEN to its content"
            )
        try:
            data = response.json()
        except ValueError:
            raise AdminError(f"{self.url}{path} answered {response.status_code} without JSON: is it an MTA?") from None
        if response.status_code >= 400:
            raise AdminError(f"{self.url}{path}: {data.get('error', response.status_code)}")
        return data

    def ready(self) -> tuple[bool, str]:
        """Whether it takes mail, and what it says about that."""
        response = self._request("GET", "/ready")
        return response.status_code == 200, response.text.strip()

    def _request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            if (wrong := _what_tls_says(error)) is not None:
                raise AdminError(f"{self.url}: {wrong}") from None
            raise UnreachableError(
                f"{self.url} cannot be reached ({error}): is the MTA running? POSTROAD_ADMIN names another"
            ) from None


def _token(file: Path | None) -> str | None:
    named = file or os.environ.get("POSTROAD_TOKEN_FILE")
    if file is None and (token := os.environ.get("POSTROAD_TOKEN")):
        return token
    if not named:
        if not os.access(HOST_TOKEN, os.R_OK):
            return None
        named = HOST_TOKEN
    try:
        return Path(named).read_text().strip()
    except OSError as error:
        raise AdminError(f"token file {named}: {error.strerror}: name a file that you may read") from None


def _tls(url: str) -> ssl.SSLContext | bool:
    """How TLS is spoken; True where it isn't."""
    files = {name: os.environ.get(f"POSTROAD_{name}") or None for name in ("CERT", "KEY", "CA")}
    given = [name for name, file in files.items() if file]
    if not url.lower().startswith("https:"):
        if given:
            raise AdminError(
                f"POSTROAD_{given[0]} is set, but {url} isn't spoken to by TLS: write https:// in POSTROAD_ADMIN"
            )
        return True
    if files["KEY"] and not files["CERT"]:
        raise AdminError("POSTROAD_KEY is set without POSTROAD_CERT: name the certificate that it belongs to")
    try:
        context = ssl.create_default_context(cafile=files["CA"])
    except (OSError, ssl.SSLError) as error:
        raise AdminError(f"CA file {files['CA']}: {_reason(error)}: a PEM file with certificates is needed") from None
    if files["CERT"]:
        try:
            context.load_cert_chain(files["CERT"], files["KEY"], password="")
        except (OSError, ssl.SSLError) as error:
            names = " and key ".join(file for file in (files["CERT"], files["KEY"]) if file)
            raise AdminError(
                f"certificate {names}: {_reason(error)}: a PEM certificate and its unencrypted key are needed"
            ) from None
    return context


def _what_tls_says(error: BaseException | None) -> str | None:
    """Why a connection failed, if it was for TLS, and what to do."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate isn't good: {error.verify_message}: name its authority with --ca"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "it doesn't speak TLS: write http:// in POSTROAD_ADMIN"
    if error.reason is not None and "ALERT" in error.reason:
        return f"it refused the certificate of --cert: {_reason(error)}"
    return f"TLS failed: {_reason(error)}"


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error.strerror or error)
