"""The server's side of TLS on one connection, without I/O."""

import contextlib
import ssl

_READ = 1 << 16


class TlsError(Exception):
    """The client's octets are no TLS that is spoken here; what `data_to_send` has is the alert for it."""


class TlsChannel:
    """Octets of the network in, octets of the protocol out, and the other way round (RFC 8446, RFC 5246)."""

    __slots__ = ("_incoming", "_outgoing", "_tls", "closed", "established")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.established = False
        """The handshake is done."""
        self.closed = False
        """The client said that it sends nothing more."""

    @property
    def client_certificate(self) -> bytes | None:
        """What the client proved to be, as DER; None if it showed no certificate, or none was asked for."""
        return self._tls.getpeercert(binary_form=True) if self.established else None

    def receive(self, data: bytes) -> bytes:
        """What the client said, as far as whole records came.

        Raises:
            TlsError: the handshake failed, or a record is wrong.
        """
        self._incoming.write(data)
        said = []
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            while piece := self._tls.read(_READ):
                said.append(piece)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from None
        return b"".join(said)

    def send(self, data: bytes) -> None:
        """Say something; the handshake must be done."""
        self._tls.write(data)

    def close(self) -> None:
        """Say that nothing more is sent."""
        if self.established:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def data_to_send(self) -> bytes:
        """What to put on the network now; given once."""
        return self._outgoing.read()


def _reason(error: ssl.SSLError) -> str:
    reason = (error.reason or "unknown").lower().replace("_", " ")
    return f"{reason}: {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else reason
