"""The admin port as seen by the `postroad` command."""

import os
from typing import Any

import httpx

DEFAULT = "http://127.0.0.1:8025"


class AdminError(RuntimeError):
    """The admin port can't be asked; the text says why and what to do."""


class AdminClient:
    """Asks the MTA that POSTROAD_ADMIN names; POSTROAD_TOKEN is the bearer token."""

    def __init__(self) -> None:
        self.url = os.environ.get("POSTROAD_ADMIN", DEFAULT).rstrip("/")
        token = os.environ.get("POSTROAD_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = httpx.Client(base_url=self.url, headers=headers, timeout=10.0, trust_env=False)
        except (httpx.InvalidURL, ValueError) as error:
            raise AdminError(f"POSTROAD_ADMIN={self.url}: {error}: write http://host:port") from None

    def ask(self, method: str, path: str) -> Any:
        """The JSON of an answer.

        Raises:
            AdminError: there is none.
        """
        response = self._request(method, path)
        if response.status_code == 401:
            raise AdminError(f"{self.url} wants a token: set POSTROAD_TOKEN to the content of [admin] token_file")
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

    def _request(self, method: str, path: str) -> httpx.Response:
        try:
            return self._client.request(method, path)
        except httpx.HTTPError as error:
            raise AdminError(
                f"{self.url} cannot be reached ({error}): is the MTA running? POSTROAD_ADMIN names another"
            ) from None
