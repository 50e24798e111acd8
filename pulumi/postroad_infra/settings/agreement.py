"""What the settings of a stack's projects must agree on; Pulumi itself sees one project at a time."""

from __future__ import annotations

from collections.abc import Mapping

from postroad_infra.address_plan import SubnetKind
from postroad_infra.sending_plan import SLOT_ADDRESSES, most_slots
from postroad_infra.settings.mail import MailSettings
from postroad_infra.settings.network import NetworkSettings
from postroad_infra.settings.problem import Problem, key_of
from postroad_infra.settings.project import ProjectSettings
from postroad_infra.settings.stack_file import file_name


def disagreements(projects: Mapping[str, ProjectSettings]) -> list[Problem]:
    """Where `dns` and `mail` ask for what `network` doesn't have.

    A project may use fewer zones than the network has: so a zone is drained, or prepared.
    """
    network = projects.get("network")
    if network is None:
        return []
    problems = []
    for name, settings in projects.items():
        file = file_name(name, settings.stack)
        if settings.region != network.region:
            problems.append(
                Problem(
                    file, key_of(name, ["region"]), "not the network's region", settings.region, right=network.region
                )
            )
            continue
        missing = [zone for zone in settings.zones if zone not in network.zones]
        if missing:
            problems.append(
                Problem(
                    file,
                    key_of(name, ["zones"]),
                    f"{', '.join(missing)} isn't a zone of the network",
                    right=f"zones of {file_name('network', settings.stack)}: {', '.join(network.zones)}",
                )
            )
        if settings.accounts != network.accounts:
            problems.append(
                Problem(
                    file,
                    key_of(name, ["accounts"]),
                    "not the network's accounts",
                    settings.accounts,
                    right=str(network.accounts),
                )
            )
    return problems + _places(network, projects.get("mail"))


def _places(network: ProjectSettings, mail: ProjectSettings | None) -> list[Problem]:
    """Where a zone's subnet has no room for the proxies' addresses."""
    if not isinstance(network, NetworkSettings) or not isinstance(mail, MailSettings):
        return []
    kept = network.mail_vpc.plan().subnet(SubnetKind.PUBLIC, network.zones[0]).kept
    count, most = mail.proxy.count_per_zone, most_slots(kept)
    if count <= most:
        return []
    return [
        Problem(
            file_name("mail", mail.stack),
            key_of("mail", ["proxy", "count_per_zone"]),
            f"the network's subnets keep a /{kept.prefixlen} for proxies, {SLOT_ADDRESSES} addresses each",
            count,
            right=f"{most} at most, or a larger mail_vpc.cidr in {file_name('network', network.stack)}",
        )
    ]
