"""The mail of a stack: MTAs, proxies, spools and addresses in every zone, and the domain that mail comes from."""

from postroad_infra.drain_hooks import DrainHooks, DrainHooksArgs
from postroad_infra.front_door import FrontDoor, FrontDoorArgs
from postroad_infra.front_door_listeners import FrontDoorListeners, FrontDoorListenersArgs
from postroad_infra.mail_cell import MailCell, MailCellArgs
from postroad_infra.mail_tiers import MTA, PROXY, MailTiers, TierArgs
from postroad_infra.sending_addresses import SendingAddresses, SendingAddressesArgs
from postroad_infra.sending_domain import SendingDomain, SendingDomainArgs
from postroad_infra.settings import MailSettings, load_settings
from postroad_infra.stack_outputs import MailOutputs, NetworkOutputs, export_outputs
from postroad_infra.tags import Tags
from postroad_infra.zone import letter

settings = load_settings(MailSettings)
tags = Tags(settings.stack)
network = NetworkOutputs.of_stack(settings.zones)

tiers = MailTiers(
    "mail",
    TierArgs(
        network=network,
        submission_clients=[str(clients) for clients in settings.mta.submission_clients],
        tags=tags,
    ),
)
front_door = settings.front_door and FrontDoor(
    "front-door",
    FrontDoorArgs(
        network=network,
        tiers=tiers,
        settings=settings.front_door,
        submission_clients=[str(clients) for clients in settings.mta.submission_clients],
        protection=settings.protection,
        tags=tags,
    ),
)
plan = settings.sending_plan()
cells = {
    zone: MailCell(
        f"cell-{letter(zone)}",
        MailCellArgs(
            zone=zone,
            network=network,
            tiers=tiers,
            mta=settings.mta,
            proxy=settings.proxy,
            plan=plan,
            protection=settings.protection,
            tags=tags,
            mta_target_group_arns=front_door.target_group_arns if front_door else (),
        ),
    )
    for zone in settings.zones
}
addresses = SendingAddresses(
    "addresses",
    SendingAddressesArgs(
        plan=plan,
        slots={name: slot for cell in cells.values() for name, slot in cell.slots.items()},
        pool=settings.proxy.pool,
        domain=settings.domain.name,
        quota=settings.proxy.elastic_ip_quota,
        protection=settings.protection,
        tags=tags,
    ),
)
domain = SendingDomain(
    "domain",
    SendingDomainArgs(domain=settings.domain, addresses=addresses.elastic, protection=settings.protection, tags=tags),
)
listeners = (
    front_door
    and settings.front_door
    and FrontDoorListeners(
        "submission",
        FrontDoorListenersArgs(
            front_door=front_door,
            settings=settings.front_door,
            domain=settings.domain.name,
            zone_id=domain.zone_id,
            tags=tags,
        ),
    )
)
drains = DrainHooks(
    "drain",
    DrainHooksArgs(
        groups={f"mta-{letter(zone)}": cell.groups[MTA] for zone, cell in cells.items()},
        heartbeat_s=settings.mta.drain_heartbeat_s,
        tags=tags,
    ),
)
export_outputs(
    MailOutputs(
        domain=settings.domain.name,
        drain_queue_url=drains.queue_url,
        submission_host=listeners.host if listeners else "",
        domain_zone_id=domain.zone_id,
        name_servers=domain.name_servers,
        sending_addresses={host: eip.public_ip for host, eip in addresses.elastic.items()},
        spool_volume_ids={spool: volume for cell in cells.values() for spool, volume in cell.spool_volume_ids.items()},
        mta_groups={zone: cell.groups[MTA] for zone, cell in cells.items()},
        proxy_groups={zone: cell.groups[PROXY] for zone, cell in cells.items()},
    )
)
