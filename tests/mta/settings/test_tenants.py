"""What the settings say about tenants, and what they refuse."""

from pathlib import Path

import pytest
from postroad.settings.load import SettingsError, load
from postroad.settings.mta import MtaSettings

BEGIN = """
[listeners.submission]
address = "127.0.0.1:2525"
relay_from = ["127.0.0.0/8", { network = "10.1.0.0/16", tenant = "acme" }]
[spool]
path = "./spool"
"""
ACME = '[tenants.acme]\ndomains = ["Acme.test", "*.acme.test"]\n'


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(MtaSettings, path)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_a_network_may_name_its_tenant_and_needs_none(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(BEGIN + ACME)
    settings = load(MtaSettings, path)
    entries = settings.listeners["submission"].relay_from
    assert [(str(entry.network), entry.tenant) for entry in entries] == [("127.0.0.0/8", None), ("10.1.0.0/16", "acme")]
    acme = settings.all_tenants()["acme"]
    assert acme.owns(b"acme.test")
    assert acme.owns(b"a.b.acme.test")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "",
            "listeners.submission.relay_from: 10.1.0.0/16 names tenant acme, and there is no [tenants.acme]; "
            "known here: none",
        ),
        (
            ACME + '[tenants.other]\ndomains = ["acme.test"]\n',
            "acme.test is a domain of tenants acme and other: leave it to one of them",
        ),
        (
            ACME + '[tenants.other]\ndomains = ["*.news.acme.test"]\n',
            "*.news.acme.test is a domain of tenants other and acme: leave it to one of them",
        ),
        (
            ACME + '[[dkim.keys]]\ndomain = "other.test"\nselector = "s"\nfile = "x.pem"\n',
            "dkim.keys: other.test is no tenant's, so nothing would be signed with its key: add it to the domains of a "
            "[tenants.NAME]",
        ),
        (
            '[tenants.acme]\ndomains = ["acme.*"]\n',
            'tenants.acme.domains[0] = "acme.*": must be a domain such as "example.com", or "*.example.com" for all '
            "below it",
        ),
        (
            '[tenants.acme]\ndomains = ["bücher.test"]\n',
            'tenants.acme.domains[0] = "bücher.test": must be a domain such as "example.com", or "*.example.com" for '
            "all below it (xn-- for other letters)",
        ),
    ],
)
def test_tenants_that_do_not_fit_are_told_in_one_line(tmp_path: Path, more: str, problem: str) -> None:
    assert problems(tmp_path, BEGIN + more) == [problem]


def test_a_network_is_there_once(tmp_path: Path) -> None:
    text = BEGIN.replace('"127.0.0.0/8"', '"10.1.0.0/16"') + ACME
    assert problems(tmp_path, text) == ["listeners.submission.relay_from: 10.1.0.0/16 is there twice"]


def test_a_table_with_a_wrong_key_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, BEGIN.replace("tenant =", "owner =") + ACME)
    assert problem == "listeners.submission.relay_from[1].owner: unknown key; known here: network, tenant"


@pytest.mark.parametrize(
    ("listener", "problem"),
    [
        ('tls = "starttls"', 'listeners.submission: tls = "starttls" needs tls_certificate'),
        ('tls_key = "k"', 'listeners.submission: tls_certificate and tls_key need tls = "starttls" or "implicit"'),
        (
            'auth = "offered"',
            'listeners.submission: auth = "offered" needs tls = "starttls" or "implicit": no password is taken without',
        ),
        (
            'tls = "implicit"\ntls_certificate = "c"\nauth = "required"',
            'listeners.submission.auth = "required" needs [auth] with the file of identities',
        ),
        ('tls = "maybe"', "listeners.submission.tls = \"maybe\": must be 'none', 'starttls' or 'implicit'"),
    ],
)
def test_tls_and_auth_that_do_not_fit_are_told(tmp_path: Path, listener: str, problem: str) -> None:
    text = BEGIN.replace("[spool]", f"{listener}\n[spool]") + ACME
    assert problems(tmp_path, text) == [problem]
