from pathlib import Path

import pytest
from postroad.settings.load import SettingsError, load
from postroad.settings.mta import MtaSettings
from postroad.settings.proxy import ProxySettings
from postroad.settings.units import parse_duration, parse_listen, parse_named_endpoint, parse_server, parse_size

MTA = """
[listeners.submission]
address = "127.0.0.1:2525"
relay_from = ["127.0.0.0/8"]
[spool]
path = "./spool"
[routing]
smart_host = "127.0.0.1:2626"
[admin]
address = "127.0.0.1:8025"
"""
RENDERED = """
[listeners.submission]
address = "systemd:submission"
relay_from = [
    { network = "10.20.255.0/24", tenant = "house" },
]
hostname = "mta-a.postroad.test"
[tenants.house]
domains = ["postroad.test"]
[spool]
path = "/var/spool/postroad"
[routing]
[egress]
ehlo = "mail-a.postroad.test"
proxies = ["10.20.16.7:1080"]
source = "10.20.16.7"
[retry]
first_delay = "20m"
max_age = "5d"
[dkim]
keys = [{ domain = "postroad.test", selector = "p1", file = "/etc/postroad/dkim/p1.pem" }]
[dns]
servers = ["127.0.0.1"]
[admin]
address = "0.0.0.0:8025"
"""
PROXY = """
[listener]
address = "127.0.0.1:1080"
[access]
clients = ["127.0.0.0/8"]
sources = ["127.0.0.0/8"]
destinations = ["127.0.0.0/8:1024-65535"]
[admin]
address = "127.0.0.1:1081"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [MTA, RENDERED])
def test_the_files_of_the_guides_work_as_they_stand(tmp_path: Path, text: str) -> None:
    settings = load(MtaSettings, written(tmp_path, text))
    assert settings.retry.first_delay == 1200
    assert settings.retry.max_age == 432000


def test_the_files_of_the_readme_work_as_they_stand(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "mta" / "README.md").read_text()
    files = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    alone = next(block for block in files if "smart_host" in block)
    who = next(block for block in files if "[tenants." in block)
    proxy = next(block for block in files if "[access]" in block)
    assert load(MtaSettings, written(tmp_path, alone)).listeners["submission"].tls == "none"
    assert load(MtaSettings, written(tmp_path, who + '[spool]\npath = "./spool"\n')).tenants
    assert load(ProxySettings, written(tmp_path, proxy))


def test_the_proxy_file_works_as_it_stands(tmp_path: Path) -> None:
    settings = load(ProxySettings, written(tmp_path, PROXY))
    assert settings.access.destinations[0].first_port == 1024


def test_everything_wrong_is_told_at_once_with_file_key_value_and_remedy(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[listeners.in]\naddress = "127.0.0.1"\nrelay_from = ["127.0.0.1/8"]\n[spool]\npth = "x"\n'
        '[retry]\nmax_age = "3 weeks"\n',
    )
    with pytest.raises(SettingsError) as caught:
        load(MtaSettings, path)
    assert caught.value.problems == [
        f'{path}: listeners.in.address = "127.0.0.1": must be an address and port such as '
        '"10.20.16.7:1080" or "systemd:NAME"',
        f'{path}: listeners.in.relay_from[0] = "127.0.0.1/8": must be a network without '
        'host bits: "127.0.0.0/8" is the one around it, or { network = "10.1.0.0/16", tenant = "NAME" }',
        f"{path}: spool.path: missing; Folder of the log; made if it is missing. One process a folder.",
        f"{path}: spool.pth: unknown key; known here: min_free, min_free_inodes, path, segment_size",
        f'{path}: retry.max_age = "3 weeks": must be a duration such as "30s", "20m", "1h30m" or "5d"',
    ]


@pytest.mark.parametrize("text", ["not toml", ""])
def test_what_is_no_configuration_is_told_in_one_line_a_problem(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(MtaSettings, written(tmp_path, text))
    assert all("\n" not in problem and "x.toml" in problem for problem in caught.value.problems)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load(MtaSettings, tmp_path / "none.toml")


def test_two_listeners_on_one_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="same address"):
        load(MtaSettings, written(tmp_path, MTA.replace("8025", "2525")))


@pytest.mark.parametrize(("text", "seconds"), [("20m", 1200), ("1h30m", 5400), ("250ms", 0.25), ("5d", 432000)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", 20, "1x", "-1s", True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


def test_sizes_and_endpoints() -> None:
    assert (parse_size("50MiB"), parse_size("64 kB"), parse_size(7)) == (52428800, 64000, 7)
    assert str(parse_listen("[::1]:25")) == "[::1]:25"
    assert str(parse_named_endpoint("relay.test")) == "relay.test:25"
    assert str(parse_server("127.0.0.1:5353")) == "127.0.0.1:5353"
    for wrong in ("::1:25", "a b:25", "x:99999", ":25", 25):
        with pytest.raises(ValueError):
            parse_named_endpoint(wrong)
