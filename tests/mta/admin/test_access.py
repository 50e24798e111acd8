"""Who may ask what of an admin port, and by which name the log knows it."""

import ipaddress

import pytest
from certificates import self_signed
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from postroad.admin.access import Access, Caller, Credentials, Refusal, certificate_name, judge

HERE, THERE = "127.0.0.1", "10.1.2.3"
LOOPBACK_ONLY, TOKEN, CERTIFICATE, EITHER = (
    "answers on loopback only: neither token_file nor tls_client_ca of [admin] is configured",
    "needs the bearer token of [admin] token_file",
    "needs a client certificate of an authority in [admin] tls_client_ca",
    "needs the bearer token of [admin] token_file or a client certificate of an authority in [admin] tls_client_ca",
)


@pytest.mark.parametrize(
    ("token", "certificates", "address", "given_token", "given_certificate", "expected"),
    [
        (None, False, HERE, None, None, Caller("loopback")),
        (None, False, "::1", None, None, Caller("loopback")),
        (None, False, "fe80::1%eth0", None, None, Refusal(403, LOOPBACK_ONLY)),
        (None, False, THERE, None, None, Refusal(403, LOOPBACK_ONLY)),
        (None, False, THERE, "", None, Refusal(403, LOOPBACK_ONLY)),
        (None, False, THERE, "secret", None, Refusal(403, LOOPBACK_ONLY)),
        ("secret", False, THERE, "secret", None, Caller("token")),
        ("secret", False, HERE, None, None, Refusal(401, TOKEN)),
        ("secret", False, HERE, "", None, Refusal(401, TOKEN)),
        ("secret", False, HERE, "secre", None, Refusal(401, TOKEN)),
        ("secret", False, HERE, "sécret", None, Refusal(401, TOKEN)),
        (None, True, HERE, None, None, Refusal(403, CERTIFICATE)),
        (None, True, HERE, "secret", None, Refusal(403, CERTIFICATE)),
        (None, True, THERE, None, "CN=ann", Caller("certificate CN=ann")),
        ("secret", True, THERE, None, None, Refusal(401, EITHER)),
        ("secret", True, THERE, "wrong", None, Refusal(401, EITHER)),
        ("secret", True, THERE, "secret", None, Caller("token")),
        ("secret", True, THERE, "wrong", "CN=ann", Caller("certificate CN=ann")),
        ("secret", True, THERE, "secret", "CN=ann", Caller("certificate CN=ann")),
    ],
)
def test_a_certificate_or_the_token_or_without_either_the_loopback_is_needed(
    token: str | None,
    certificates: bool,
    address: str,
    given_token: str | None,
    given_certificate: str | None,
    expected: Caller | Refusal,
) -> None:
    shown = Credentials(address, given_token, given_certificate)
    assert judge(shown, open=False, token=token, certificates=certificates) == expected
    # What is open is open to all of them.
    assert isinstance(judge(shown, open=True, token=token, certificates=certificates), Caller)


@given(st.text())
def test_no_other_authorization_is_the_token(authorization: str) -> None:
    judged = Access("secret").judge(open=False, address=THERE, authorization=authorization)
    assert isinstance(judged, Refusal) or authorization.partition(" ")[2].strip() == "secret"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_a_word_of_any_case(scheme: str) -> None:
    assert Access("secret").judge(open=False, address=THERE, authorization=f"{scheme} secret") == Caller("token")


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("ann", (), "CN=ann"),
        ("ann, of ops", (), "CN=ann\\, of ops"),
        ("ann", (x509.RFC822Name("ann@x.test"),), "CN=ann (email:ann@x.test)"),
        (
            "mta-b",
            (x509.DNSName("mta-b.x.test"), x509.IPAddress(ipaddress.ip_address("10.1.2.3"))),
            "CN=mta-b (DNS:mta-b.x.test, IP:10.1.2.3)",
        ),
        ("", (x509.UniformResourceIdentifier("spiffe://x.test/deploy"),), "(URI:spiffe://x.test/deploy)"),
        ("x" * 60, tuple(x509.DNSName(f"{number}.x.test") for number in range(99)), None),
    ],
)
def test_a_certificate_is_known_by_its_subject_and_its_other_names(
    name: str, others: tuple[x509.GeneralName, ...], expected: str | None
) -> None:
    made = self_signed(ec.generate_private_key(ec.SECP256R1()), name, others)
    found = certificate_name(made.public_bytes(serialization.Encoding.DER))
    assert found == expected or (expected is None and len(found) == 500)


@given(st.binary(max_size=200))
def test_a_certificate_that_cannot_be_read_has_a_name_too(octets: bytes) -> None:
    assert certificate_name(octets).startswith("with digest ")
