"""A wrong setting is a line with file, key, value, reason and what would be right; all are reported at once."""

from __future__ import annotations

import base64
import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from postroad_infra.settings import Problem, SettingsError, read_stack_file
from postroad_infra.settings.__main__ import check, main
from postroad_infra.settings.public_key import DkimPublicKey

from tests.pulumi.conftest import PROJECTS, STACKS
from tests.pulumi.mocks_engine import PROJECTS as FOLDER
from tests.pulumi.mocks_engine import run_program, stack_config

Edit = Callable[[Any], object]


def rsa_key(bits: int) -> str:
    """The text of a DKIM record's `p=`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """A copy of the projects' stack files, to be spoiled."""
    for project in PROJECTS:
        (tmp_path / project).mkdir()
        for file in (FOLDER / project).glob("Pulumi.*.yaml"):
            shutil.copy(file, tmp_path / project)
    return tmp_path


def spoil(folder: Path, project: str, edit: Edit, stack: str = "local") -> None:
    path = folder / project / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(path.read_text())
    edit(content["config"])
    path.write_text(yaml.safe_dump(content))


def put(path: str, value: object) -> Edit:
    """Set the setting at a dotted path."""

    def edit(config: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for parent in parents:
            config = config[parent]
        if value is None:
            del config[last]
        else:
            config[last] = value

    return edit


NETWORK, DNS, MAIL = "network:settings", "dns:settings", "mail:settings"
NETWORK_FILE, DNS_FILE, MAIL_FILE = (f"pulumi/{project}/Pulumi.local.yaml" for project in PROJECTS)
PROXY = {"ami": "ami-0ba5e000000000012", "instance_type": "t3.small", "addresses": 2, "elastic_ip_quota": 10}
CIDR_IS = "right is: its addresses, a private range of /16 to /20 that no peer uses, e.g."


@pytest.mark.parametrize(
    ("project", "edit", "line"),
    [
        pytest.param(
            "network",
            put(f"{NETWORK}/mail_vpc/cidr", "10.0.0.0/8"),
            f"{NETWORK_FILE}: network:settings.mail_vpc.cidr = '10.0.0.0/8': the prefix must be /16 to /20; "
            f"{CIDR_IS} 10.20.0.0/16",
            id="too wide a range",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/mail_vpc/cidr", "8.8.0.0/16"),
            f"{NETWORK_FILE}: network:settings.mail_vpc.cidr = '8.8.0.0/16': it must lie in a private range "
            f"(RFC 1918, RFC 6598); {CIDR_IS} 10.20.0.0/16",
            id="a public range",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/dns_vpc/cidr", "10.20.16.0/20"),
            f"{NETWORK_FILE}: network:settings: mail_vpc.cidr 10.20.0.0/16 and dns_vpc.cidr 10.20.16.0/20 overlap: "
            "peered VPCs need ranges of their own",
            id="overlapping ranges",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/mail_vpc/cdir", "10.20.0.0/16"),
            f"{NETWORK_FILE}: network:settings.mail_vpc.cdir = '10.20.0.0/16': no such key; right is: cidr",
            id="a key mistyped",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/flow_logs", None),
            f"{NETWORK_FILE}: network:settings.flow_logs: it is missing; "
            "right is: retention_days, interval_s, e.g. {retention_days: 30}",
            id="a group missing",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/zones", ["us-east-1a", "us-east-1a"]),
            f"{NETWORK_FILE}: network:settings.zones = ['us-east-1a', 'us-east-1a']: us-east-1a is there more than "
            "once; right is: the availability zones in use, 1 to 7, all of aws:region; the first holds what isn't "
            "zonal, e.g. [us-east-1a, us-east-1b, us-east-1c]",
            id="a zone twice",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/zones", ["eu-west-1a"]),
            f"{NETWORK_FILE}: network:settings: zones: eu-west-1a isn't of aws:region us-east-1",
            id="a zone of another region",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/protection/protect", True),
            f"{NETWORK_FILE}: network:settings: aws:allowedAccountIds is missing: what is protected names the accounts "
            "that it may change",
            id="protected without an account",
        ),
        pytest.param(
            "network",
            put(f"{NETWORK}/key_pair/public_key", "ssh-ed25519 AAAA"),
            f"{NETWORK_FILE}: network:settings.key_pair: exactly one of public_key and public_key_file must be there; "
            "right is: public_key or public_key_file, e.g. {public_key_file: ~/.ssh/postroad-uat.pub}",
            id="a key twice",
        ),
        pytest.param(
            "network",
            put("aws:region", "mars"),
            f"{NETWORK_FILE}: aws:region = 'mars': not of the right form; right is: the AWS region, e.g. us-east-1",
            id="no region",
        ),
        pytest.param(
            "network",
            put(NETWORK, None),
            f"{NETWORK_FILE}: network:settings: it is missing; right is: the keys that another stack's file has",
            id="no settings",
        ),
        pytest.param(
            "dns",
            put(f"{DNS}/resolvers/instance_type", "c7gn"),
            f"{DNS_FILE}: dns:settings.resolvers.instance_type = 'c7gn': AWS has no such instance type; "
            "right is: the instance type, e.g. c7g.large",
            id="no instance type",
        ),
        pytest.param(
            "dns",
            put(f"{DNS}/resolvers/count_per_zone", 0),
            f"{DNS_FILE}: dns:settings.resolvers.count_per_zone = 0: input should be greater than or equal to 1; "
            "right is: hosts in each zone; a zone less must still carry the load, e.g. 2",
            id="no host",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/proxy/elastic_ip_quota", 5),
            f"{MAIL_FILE}: mail:settings: 6 sending addresses (3 zones x 1 proxies x 2) are more than "
            "proxy.elastic_ip_quota 5: raise it as far as AWS grants",
            id="more addresses than the account may have",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/proxy", {**PROXY, "addresses": 5, "elastic_ip_quota": 20}),
            f"{MAIL_FILE}: mail:settings: proxy-a has 5 addresses, an interface of t3.small holds 4: take a larger "
            "type, more proxies, or fewer addresses",
            id="more addresses than the interface holds",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/proxy", {**PROXY, "moved": dict.fromkeys(("mail-a", "mail-b", "mail-b-ip2"), "proxy-c")}),
            f"{MAIL_FILE}: mail:settings: proxy-c has 5 addresses, an interface of t3.small holds 4: take a larger "
            "type, more proxies, or fewer addresses",
            id="more addresses moved to a proxy than it holds",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/proxy/moved", {"mail-d": "proxy-a"}),
            f"{MAIL_FILE}: mail:settings: proxy.moved: mail-d isn't one of the addresses: mail-a, mail-a-ip2, mail-b, "
            "mail-b-ip2, mail-c, mail-c-ip2",
            id="a moved address that isn't there",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/proxy/moved", {"mail-a": "proxy-d"}),
            f"{MAIL_FILE}: mail:settings: proxy.moved: proxy-d isn't one of the proxies: proxy-a, proxy-b, proxy-c",
            id="an address moved to nowhere",
        ),
        pytest.param(
            "dns",
            put(f"{DNS}/private_zone", "Postroad.internal."),
            f"{DNS_FILE}: dns:settings.private_zone = 'Postroad.internal.': not of the right form; "
            "right is: the zone that only the VPCs see; not one that the public DNS has, e.g. postroad.internal",
            id="a domain with a final dot",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/mta/spool/throughput_mibps", 1000),
            f"{MAIL_FILE}: mail:settings.mta.spool: throughput_mibps 1000 needs iops 4000 or more; "
            "right is: size_gib, iops, throughput_mibps, e.g. {size_gib: 100}",
            id="more throughput than gp3 gives",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/mta/submission_clients", []),
            f"{MAIL_FILE}: mail:settings.mta.submission_clients = []: list should have at least 1 item after "
            "validation, not 0; right is: ranges that may submit mail on 587; whoever they hold may send, "
            "e.g. [10.20.255.0/24]",
            id="nobody may submit",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/mta/submission_clients", ["10.20.300.0/24"]),
            f"{MAIL_FILE}: mail:settings.mta.submission_clients[0] = '10.20.300.0/24': input is not a "
            "valid IPv4 network; right is: ranges that may submit mail on 587; whoever they hold may send, "
            "e.g. [10.20.255.0/24]",
            id="a range that doesn't parse",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/front_door/name", "postroad-local-submission-by-tls"),
            f"{MAIL_FILE}: mail:settings.front_door.name = 'postroad-local-submission-by-tls': string should have at "
            "most 26 characters; right is: its name in the account: letters, digits, single hyphens; 26 characters at "
            "most, e.g. postroad-uat-smtp",
            id="a balancer's name that is too long",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/front_door/submission_ports", [587, 8025]),
            f"{MAIL_FILE}: mail:settings.front_door.submission_ports = [587, 8025]: port 8025 serves something else; "
            "right is: ports with TLS from the first octet (RFC 8314); no STARTTLS, e.g. [587, 465]",
            id="a listener on a port of something else",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/front_door/returns_port", 2525),
            f"{MAIL_FILE}: mail:settings.front_door: returns_port: returning mail comes from the internet, which an "
            "internal balancer isn't part of; right is: name, host, internal, submission_ports, mta_tls_ports, "
            "returns_port, cross_zone, deregistration_delay_s, idle_timeout_s, health_check; left out: clients go to "
            "the MTAs themselves, e.g. {name: postroad-uat-smtp}",
            id="returning mail through an internal balancer",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/front_door/mta_tls_ports", [466]),
            f"{MAIL_FILE}: mail:settings.front_door: mta_tls_ports: 466 isn't one of submission_ports; right is: name, "
            "host, internal, submission_ports, mta_tls_ports, returns_port, cross_zone, deregistration_delay_s, "
            "idle_timeout_s, health_check; left out: clients go to the MTAs themselves, e.g. {name: postroad-uat-smtp}",
            id="a port that is passed on and not listened on",
        ),
        pytest.param(
            "mail",
            put(f"{MAIL}/domain/dmarc/policy", "maybe"),
            f"{MAIL_FILE}: mail:settings.domain.dmarc.policy = 'maybe': input should be 'none', 'quarantine' or "
            "'reject'; right is: none, quarantine or reject, e.g. reject",
            id="an unknown policy",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(project: str, edit: Edit, line: str, projects: Path) -> None:
    spoil(projects, project, edit)
    problems = check(project, "local", folder=projects)
    assert [str(problem) for problem in problems] == [line]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("not base64!", "public_key: it isn't base64;"),
        ("AAAA", "public_key: it is neither an RSA nor an Ed25519 public key;"),
        (rsa_key(1024), "public_key: 1024 bits are too few: 2048 at least;"),
    ],
)
def test_a_dkim_key_that_would_not_verify_is_refused(key: str, reason: str, projects: Path) -> None:
    spoil(projects, "mail", put(f"{MAIL}/domain/dkim", {"selector": "p1", "public_key": key}))
    (problem,) = check("mail", "local", folder=projects)
    assert reason in str(problem)
    assert "mail:settings.domain.dkim" in str(problem)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(rsa_key(2048), "rsa"), (base64.b64encode(bytes(32)).decode(), "ed25519")]
)
def test_a_dkim_key_tells_its_algorithm(key: str, algorithm: str) -> None:
    assert DkimPublicKey(selector="p1", public_key=key).algorithm() == algorithm


def test_all_problems_are_reported_at_once(projects: Path) -> None:
    spoil(projects, "network", put(f"{NETWORK}/mail_vpc/cidr", "10.0.0.0/8"))
    spoil(projects, "network", put(f"{NETWORK}/flow_logs/retention_days", 2))
    spoil(projects, "dns", put(f"{DNS}/resolvers/ami", "debian"))
    spoil(projects, "mail", put(f"{MAIL}/proxy", None))
    problems = check("all", "local", folder=projects)
    assert [problem.key for problem in problems] == [
        "network:settings.mail_vpc.cidr",
        "network:settings.flow_logs.retention_days",
        "dns:settings.resolvers.ami",
        "mail:settings.proxy",
    ]


def test_a_line_has_no_line_break_whatever_the_value(projects: Path) -> None:
    spoil(projects, "dns", put(f"{DNS}/resolvers/ami", "a\nb" * 100))
    (problem,) = check("dns", "local", folder=projects)
    assert "\n" not in str(problem)
    assert "…" in str(problem)


def test_a_zone_that_the_network_lacks_is_named(projects: Path) -> None:
    spoil(projects, "network", put(f"{NETWORK}/zones", ["us-east-1a"]))
    assert [str(problem) for problem in check("all", "local", folder=projects)] == [
        f"{file}: {project}:settings.zones: us-east-1b, us-east-1c isn't a zone of the network; "
        "right is: zones of pulumi/network/Pulumi.local.yaml: us-east-1a"
        for project, file in (("dns", DNS_FILE), ("mail", MAIL_FILE))
    ]


def test_a_project_may_use_fewer_zones_than_the_network_has(projects: Path) -> None:
    spoil(projects, "mail", put(f"{MAIL}/zones", ["us-east-1b"]))
    assert check("all", "local", folder=projects) == []


def test_an_unknown_stack_is_refused_with_those_that_there_are(projects: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_stack_file("network", "produktion", folder=projects)
    assert str(raised.value) == (
        "pulumi/network/Pulumi.produktion.yaml: stack = 'produktion': no such stack; "
        "right is: local, production, staging, uat"
    )


def test_an_unknown_project_is_refused_with_those_that_there_are(projects: Path) -> None:
    (problem,) = check("nework", "local", folder=projects)
    assert str(problem) == "pulumi/nework: project: no such project; right is: network, dns, mail"


def test_a_file_that_is_no_yaml_is_one_line(projects: Path) -> None:
    (projects / "dns/Pulumi.local.yaml").write_text("config: [unclosed\n  - x: {")
    (problem,) = check("dns", "local", folder=projects)
    assert str(problem).startswith(f"{DNS_FILE}: the file: it can't be read as YAML: ")
    assert "\n" not in str(problem)


@pytest.mark.parametrize("content", ["", "[]", "config: 3"])
def test_a_file_without_configuration_is_one_line(content: str, projects: Path) -> None:
    (projects / "dns/Pulumi.local.yaml").write_text(content)
    (problem,) = check("dns", "local", folder=projects)
    assert str(problem) == (f"{DNS_FILE}: config: it is missing; right is: a mapping with aws:region and dns:settings")


@pytest.mark.parametrize("stack", STACKS)
def test_the_settings_of_every_stack_are_right(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "all", stack]) == 0
    assert capsys.readouterr().err == ""


def test_the_command_prints_problems_to_standard_error_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "network", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("pulumi/network/Pulumi.nowhere.yaml: stack = 'nowhere': no such stack")


def test_key_files_are_read_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTROAD_REGION_STATE", str(tmp_path / "none"))
    assert check("all", "local") == []
    lines = [str(problem) for problem in check("all", "local", read_files=True)]
    assert [line.split(": ")[1] for line in lines] == ["network:settings.key_pair", "mail:settings.domain.dkim"]
    assert all("No such file or directory" in line for line in lines)


def test_a_program_stops_at_wrong_settings_before_it_registers_anything() -> None:
    config = copy.deepcopy(stack_config("network", "local"))
    config["network:settings"]["zones"] = []
    with pytest.raises(pulumi.RunError) as raised:
        run_program("network", "local", config)
    first, line = str(raised.value).splitlines()
    assert first == "the settings of stack local are wrong"
    assert line.startswith(f"{NETWORK_FILE}: network:settings.zones = []: ")


@pytest.mark.parametrize("project", PROJECTS)
def test_an_update_refuses_placeholders_that_a_preview_takes(project: str) -> None:
    config = stack_config(project, "production")
    run_program(project, "production", config, preview=True)
    with pytest.raises(pulumi.RunError) as raised:
        run_program(project, "production", config)
    lines = str(raised.value).splitlines()[1:]
    assert f"pulumi/{project}/Pulumi.production.yaml: aws:allowedAccountIds[0] = '000000000000'" in lines[0]
    assert all(line.endswith("a placeholder, good for previews only") for line in lines)


def test_lines_marked_replace_are_the_placeholders_that_an_update_refuses() -> None:
    for project in PROJECTS:
        text = (FOLDER / project / "Pulumi.production.yaml").read_text()
        for line in text.splitlines():
            value = line.split("#")[0]
            if "000000000000" in value or "REPLACE-ME" in value:
                assert "# REPLACE" in line


def test_a_problem_without_a_value_or_a_remedy_is_still_a_sentence() -> None:
    assert str(Problem("file", "key", "it is missing")) == "file: key: it is missing"


ODD_VALUES: list[Any] = [None, True, -1, 1.5, "", "\x00", "x" * 300, [], [[]], {}, {1: 2}, [None], {"a": {"b": []}}]


def spots(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(spot for key, value in inner for spot in spots(value, (*path, key)))]


@pytest.mark.parametrize("project", PROJECTS)
def test_whatever_stands_anywhere_in_a_file_the_answer_is_lines_and_no_trace(project: str, projects: Path) -> None:
    good = stack_config(project, "local")
    good.pop("encryptionsalt", None)
    refused = 0
    for spot in spots(good)[1:]:
        for odd in ODD_VALUES:
            config = copy.deepcopy(good)
            parent = config
            for key in spot[:-1]:
                parent = parent[key]
            parent[spot[-1]] = odd
            (projects / project / "Pulumi.local.yaml").write_text(yaml.safe_dump({"config": config}))
            problems = check(project, "local", folder=projects)
            assert all("\n" not in str(problem) and str(problem).startswith("pulumi/") for problem in problems)
            refused += bool(problems)
    assert refused > 100
