"""TLS without I/O, against Python's own client."""

import contextlib
import ssl
import tempfile
from pathlib import Path

import pytest
from certificates import write_certificate
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.content.key_error import KeyFileError
from postroad.tls.certificate import Certificate
from postroad.tls.channel import TlsChannel, TlsError

FOLDER = Path(tempfile.mkdtemp())
CERTIFICATE = Certificate(*write_certificate(FOLDER))


class Client:
    """The other side, also without I/O."""

    def __init__(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)

    def shake(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()


def connected(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[Client, TlsChannel]:
    client, server = Client(version), TlsChannel(CERTIFICATE.context)
    while octets := client.shake():
        server.receive(octets)
        client.incoming.write(server.data_to_send())
    client.shake()
    assert server.established
    return client, server


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=4), st.lists(st.integers(1, 3000), max_size=50))
def test_what_is_said_arrives_however_the_stream_is_cut(messages: list[bytes], sizes: list[int]) -> None:
    client, server = connected()
    for message in messages:
        client.tls.write(message)
    stream = client.outgoing.read()
    said = b""
    for size in [*sizes, len(stream)]:
        said += server.receive(stream[:size]) if stream[:size] else b""
        stream = stream[size:]
    assert said == b"".join(messages)
    if said:
        server.send(said)
        client.incoming.write(server.data_to_send())
        back = b""
        while len(back) < len(said):
            back += client.tls.read(65536)
        assert back == said


def test_a_close_is_told_both_ways() -> None:
    client, server = connected()
    client.tls.write(b"QUIT")
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert server.receive(client.outgoing.read()) == b"QUIT"
    assert server.closed
    server.close()
    client.incoming.write(server.data_to_send())
    client.tls.unwrap()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_what_is_no_tls_is_an_error_and_nothing_else(octets: bytes) -> None:
    server = TlsChannel(CERTIFICATE.context)
    try:
        assert server.receive(octets) == b""
    except TlsError:
        assert not server.established


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_old_versions_are_refused() -> None:
    assert connected(ssl.TLSVersion.TLSv1_2)
    with pytest.raises(TlsError, match="unsupported protocol"):
        connected(ssl.TLSVersion.TLSv1_1)


def test_files_that_do_not_fit_are_told_and_what_was_read_stays(tmp_path: Path) -> None:
    chain, key = write_certificate(tmp_path)
    certificate = Certificate(chain, key)
    context, expires = certificate.context, certificate.expires
    other = tmp_path / "other"
    other.mkdir()
    chain.write_bytes(write_certificate(other)[0].read_bytes())
    with pytest.raises(KeyFileError, match="key values mismatch"):
        certificate.reload()
    assert (certificate.context, certificate.expires) == (context, expires)
    key.write_bytes((other / "key.pem").read_bytes())
    certificate.reload()
    assert certificate.context is not context
    for broken in (chain, key):
        broken.unlink()
        with pytest.raises(KeyFileError, match=f"{broken}: cannot be read"):
            certificate.reload()
        broken.write_text("nothing")
        with pytest.raises(KeyFileError, match=str(broken)):
            certificate.reload()
        write_certificate(tmp_path)
