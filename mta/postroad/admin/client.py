"""The admin port as seen by the `postroad` command."""

import os
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
    """Asks the MTA that POSTROAD_ADMIN names.

    Args:
        token_file: holds the bearer token; without one POSTROAD_TOKEN is it, or the content of POSTROAD_TOKEN_FILE, or
            what the host has at `/etc/postroad/token`, if the caller may read it.
    """

    def __init__(self, token_file: Path | None = None) -> None:
        self.url = os.environ.get("POSTROAD_ADMIN", DEFAULT).rstrip("/")
        token = _token(token_file)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = httpx.Client(base_url=self.url, headers=headers, timeout=10.0, trust_env=False)
        except (httpx.InvalidURL, ValueError) as error:
            raise AdminError(f"POSTROAD_ADMIN={self.url}: {error}: write http://host:port") from None

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
