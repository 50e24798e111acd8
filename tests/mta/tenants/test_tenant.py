import pytest
from postroad.tenants.tenant import Tenant, to_ascii

ACME = Tenant.of("acme", ["Acme.test", "*.news.test", "xn--bcher-kva.test"])


@pytest.mark.parametrize(
    ("domain", "owned"),
    [
        ("acme.test", True),
        ("ACME.TEST", True),
        ("a.acme.test", False),
        ("xacme.test", False),
        ("acme.test.", False),
        ("news.test", False),
        ("a.news.test", True),
        ("b.a.NEWS.test", True),
        ("anews.test", False),
        ("bücher.test", True),
        ("BÜCHER.test", True),
        ("xn--bcher-kva.test", True),
        ("ä.news.test", True),
        ("", False),
        ("test", False),
        ("[192.0.2.1]", False),
    ],
)
def test_a_tenant_owns_what_it_names_and_what_is_below_its_wildcards(domain: str, owned: bool) -> None:
    assert ACME.owns(domain.encode()) is owned


def test_a_domain_that_maps_to_another_is_not_that_one() -> None:
    assert to_ascii("straße.test".encode()) is None
    assert not Tenant.of("t", ["strasse.test"]).owns("straße.test".encode())
    assert to_ascii(b"\xff.test") is None


def test_a_refusal_names_the_domain_and_what_to_do_in_ascii() -> None:
    assert ACME.refusal("ö.test".encode()) == (
        b"550 5.7.1 tenant acme doesn't own \\xf6.test: send from one of its domains, "
        b"or add it to [tenants.acme] domains"
    )
    assert len(ACME.refusal(b"x" * 5000)) < 500
