"""What role `mta` writes is what the MTA reads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from postroad.settings.load import load
from postroad.settings.mta import MtaSettings

ANSIBLE = Path(__file__).parents[2] / "ansible"
ROLE = ANSIBLE / "roles" / "mta"
STACKS = ("local", "uat", "staging", "production")


def rendered(folder: Path, **variables: Any) -> MtaSettings:
    """The settings of a host with these variables."""
    given = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()) | {
        "ansible_managed": "test",
        "mta_hostname": "mta-a.postroad.test",
        **variables,
    }
    (folder / "given.json").write_text(json.dumps(given))
    subprocess.run(
        [
            *(
                str(Path(sys.executable).with_name("ansible")),
                "localhost",
                "-i",
                "localhost,",
                "-c",
                "local",
                "-m",
                "ansible.builtin.template",
            ),
            *("-e", f"@{folder / 'given.json'}", "-e", f"ansible_python_interpreter={sys.executable}"),
            *("-a", f"src={ROLE / 'templates' / 'mta.toml.j2'} dest={folder / 'mta.toml'}"),
        ],
        cwd=ANSIBLE,
        check=True,
        capture_output=True,
    )
    return load(MtaSettings, folder / "mta.toml")


def inventory(stack: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ANSIBLE / "inventories" / stack / "group_vars" / "all.yml").read_text()))


def test_mail_of_the_box_is_a_tenants_and_signed(tmp_path: Path) -> None:
    given = inventory("local")
    domain = given["mail_domain"]
    settings = rendered(
        tmp_path,
        mail_domain=domain,
        mta_relay_from=[*given["submission_networks"], {"network": "10.1.0.0/16"}],
        mta_tenants=given["tenants"],
        mta_dkim_keys=[{"domain": domain, "selector": "p1", "key": "PEM"}],
    )
    entry, nobodys = settings.listeners["submission"].relay_from
    assert settings.all_tenants()[str(entry.tenant)].owns(domain.encode())
    assert nobodys.tenant is None
    # A folder, whose keys come and go while the MTA runs.
    assert (settings.dkim.folder, settings.dkim.keys) == (Path("/etc/postroad/signing"), ())


TENANTS = [{"name": "house", "domains": ["postroad.test"]}]
BALANCER = ["10.20.16.0/20"]


def test_without_a_certificate_there_is_no_tls_and_no_auth(tmp_path: Path) -> None:
    settings = rendered(tmp_path, mta_tenants=TENANTS)
    (listener,) = settings.listeners.values()
    assert (listener.tls, listener.auth, settings.auth, settings.dkim.folder) == ("none", "none", None, None)


@pytest.mark.parametrize("auth", ["offered", "required"])
def test_with_one_tls_ends_at_the_mta_on_two_ports_and_identities_authenticate(tmp_path: Path, auth: str) -> None:
    identities = [{"name": "news", "tenant": "house", "hash": "$scrypt$"}]
    given = {"mta_tls_certificate": "PEM", "mta_tls_key": "PEM", "mta_tenants": TENANTS, "mta_proxy_from": BALANCER}
    settings = rendered(tmp_path, **given, mta_identities=identities, mta_auth=auth)
    assert {name: (str(item.address), item.tls, item.auth) for name, item in settings.listeners.items()} == {
        "submission": ("systemd:submission", "starttls", auth),
        "submissions": ("systemd:submissions", "implicit", auth),
    }
    assert settings.auth is not None
    for listener in settings.listeners.values():
        assert [str(network) for network in listener.proxy_from] == BALANCER
        assert listener.tls_certificate == Path("/etc/postroad/tls/submission.pem")
    assert rendered(tmp_path, **given).auth is None


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_says_whose_mail_comes_from_its_networks(stack: str) -> None:
    given = inventory(stack)
    domains = {tenant["name"]: tenant["domains"] for tenant in given["tenants"]}
    assert [domains[network["tenant"]] for network in given["submission_networks"]] == [["{{ mail_domain }}"]]
