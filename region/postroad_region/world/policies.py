"""The providers' MTA-STS policies over HTTPS (RFC 8461 3.3): one address, a certificate for each name by SNI."""

import asyncio
import ssl
from collections.abc import Sequence
from http import HTTPStatus

from postroad_region.errors import RegionError
from postroad_region.world.certificates import Certificates
from postroad_region.world.definition.provider import Provider
from postroad_region.world.http import Request, Response, answer_with

_PATH = "/.well-known/mta-sts.txt"
_PORT = 443


class PolicyServer:
    """Serves the policies of the providers that have one."""

    def __init__(self, providers: Sequence[Provider], certificates: Certificates) -> None:
        self._providers = {
            f"mta-sts.{domain}": provider
            for provider in providers
            if provider.mta_sts is not None
            for domain in provider.domains
        }
        self._contexts: dict[str, ssl.SSLContext] = {}
        for host, provider in self._providers.items():
            assert provider.mta_sts is not None
            self._contexts[host] = certificates.context(provider.mta_sts.certificate, host)

    async def listen(self, address: str) -> asyncio.Server:
        """Take connections on port 443 of an address.

        Raises:
            RegionError: it isn't there, or taken.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sni_callback = self._choose
        try:
            return await asyncio.start_server(answer_with(self.respond), address, _PORT, ssl=context)
        except OSError as error:
            raise RegionError(
                f"the world can't take {address}:{_PORT}: {error.strerror}",
                remedy="restart the region's daemon, which holds the world's addresses",
            ) from error

    async def respond(self, request: Request) -> Response:
        """The policy of the host asked."""
        provider = self._providers.get(request.host)
        if provider is None or provider.mta_sts is None or (request.method, request.path) != ("GET", _PATH):
            return Response(HTTPStatus.NOT_FOUND, text="there is no policy here\n")
        match provider.mta_sts.serve:
            case "policy":
                return Response(text=provider.policy())
            case "not-found":
                return Response(HTTPStatus.NOT_FOUND, text="there is no policy here\n")
            case "malformed":
                return Response(text="version: STSv9\r\nmode enforce\r\n")
            case "redirect":
                # A sender must not follow it (RFC 8461 3.3).
                return Response(HTTPStatus.FOUND, text="", headers={"Location": f"https://{provider.domain}{_PATH}"})

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        context = self._contexts.get(name or "")
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None
