"""What the API says should exist, read from moto's backends in one go as plain values."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models import ec2_backends

from postroad_region import addresses
from postroad_region.api import elbv2_snapshot, images
from postroad_region.api.network_rules import acl_of_subnets, network_acl, security_group
from postroad_region.api.patches import DELETED_VOLUMES
from postroad_region.api.public_addresses import public_of, reverse_names
from postroad_region.balancer.model import Balancer
from postroad_region.fabric.model import Fabric, Interface, Route, RouteTable, Subnet
from postroad_region.hypervisor.model import Image, Instance


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The wanted fabric and instances, volumes whose data may go, PTR names by public address, balancers, and
    images made from instances.

    Args:
        sizes: GiB by volume.
    """

    fabric: Fabric
    instances: tuple[Instance, ...]
    deleted_volumes: tuple[str, ...]
    volumes: tuple[str, ...]
    reverse: tuple[tuple[str, str], ...] = ()
    balancers: tuple[Balancer, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    images: tuple[Image, ...] = ()


def take(account: str, region: str) -> Snapshot:
    """The wanted state; call it while no request changes the backends."""
    backend = ec2_backends[account][region]
    tables = {table.id: table for table in backend.route_tables.values()}
    vpcs = tuple((vpc.id, IPv4Network(vpc.cidr_block)) for vpc in backend.vpcs.values() if _in_box(vpc.cidr_block))
    networks = dict(vpcs)
    acls = acl_of_subnets(backend)
    subnets = {
        subnet.id: Subnet(
            id=subnet.id,
            vpc_id=subnet.vpc_id,
            network=IPv4Network(subnet.cidr_block),
            zone=subnet.availability_zone,
            route_table=_table_of(subnet, tables),
            acl=acls.get(subnet.id, ""),
        )
        for zone in backend.subnets.values()
        for subnet in zone.values()
        if subnet.vpc_id in networks
    }
    used = {subnet.route_table for subnet in subnets.values()}
    instances = tuple(
        instance
        for reservation in backend.reservations.values()
        for described in reservation.instances
        if (instance := _instance(described, backend, subnets, networks, account, region))
    )
    running = [instance for instance in instances if instance.state == "running"]
    groups = [group for in_vpc in backend.groups.values() for group in in_vpc.values()]
    fabric = Fabric(
        vpcs=vpcs,
        subnets=tuple(subnets.values()),
        route_tables=tuple(_route_table(tables[i], backend) for i in sorted(used)),
        groups=(
            *(security_group(group, backend) for group in groups if group.vpc_id in networks),
            elbv2_snapshot.UNFILTERED,
        ),
        interfaces=(
            *(interface for instance in running for interface in instance.interfaces),
            *elbv2_snapshot.interfaces(account, region, subnets),
        ),
        acls=tuple(network_acl(acl) for acl in backend.network_acls.values() if acl.vpc_id in networks),
    )
    volumes = tuple(backend.volumes)
    deleted = tuple(backend.__dict__.get(DELETED_VOLUMES, ()))
    reverse = tuple(sorted(reverse_names(account, region).items()))
    balancers = elbv2_snapshot.balancers(account, region, subnets)
    sizes = tuple((volume.id, int(volume.size)) for volume in backend.volumes.values() if volume.size)
    made = images.wanted(account, region)
    return Snapshot(fabric, instances, deleted, volumes, reverse, balancers, sizes, made)


def _in_box(cidr: str) -> bool:
    return IPv4Network(cidr).subnet_of(addresses.VPC_RANGE)


def _table_of(subnet: Any, tables: dict[str, Any]) -> str:
    """The subnet's own route table, else the VPC's main one."""
    main = ""
    for table in tables.values():
        if subnet.id in table._associations.values():
            return str(table.id)
        if table.vpc_id == subnet.vpc_id and table.main_association_id:
            main = str(table.id)
    return main


def _route_table(table: Any, backend: Any) -> RouteTable:
    routes = tuple(
        Route(IPv4Network(route.destination_cidr_block), _target(route))
        for route in table._routes.values()
        if route.destination_cidr_block
    )
    endpoint = next(
        (
            str(endpoint.id)
            for endpoint in backend.vpc_end_points.values()
            if endpoint.state == "available"
            and endpoint.service_name.endswith(".s3")
            and table.id in (endpoint.route_table_ids or [])
        ),
        "",
    )
    # What reaches the internet gateway reaches S3's public endpoint as well.
    services = bool(endpoint) or any(route.target == "internet" for route in routes)
    return RouteTable(table.id, routes, services, endpoint)


def _target(route: Any) -> str:
    if route.local:
        return "local"
    if route.vpc_pcx is not None:
        return "peering" if route.vpc_pcx._status.code == "active" else "blackhole"
    gateway = route.gateway
    return "internet" if gateway is not None and gateway.id.startswith("igw-") else "blackhole"


def _instance(
    described: Any,
    backend: Any,
    subnets: dict[str, Subnet],
    networks: dict[str, IPv4Network],
    account: str,
    region: str,
) -> Instance | None:
    if described.state == "terminated" or described.subnet_id not in subnets:
        return None
    key = backend.key_pairs.get(described.key_name)
    user_data = described.user_data
    return Instance(
        id=described.id,
        state="running" if described.state == "running" else "stopped",
        image=described.image_id,
        type=described.instance_type,
        zone=described.availability_zone,
        region=region,
        account=account,
        interfaces=tuple(_interface(index, nic, described, subnets) for index, nic in sorted(described.nics.items())),
        resolver=addresses.resolver_of(networks[subnets[described.subnet_id].vpc_id]),
        volumes=tuple(
            block.volume_id
            for device, block in described.block_device_mapping.items()
            if device not in ("/dev/sda1", "/dev/xvda") and device != described.root_device_name
        ),
        key_name=described.key_name or "",
        public_key=(key.material_public or b"").decode() if key else "",
        user_data=base64.b64decode(user_data) if user_data else b"",
        role=_role(described.iam_instance_profile),
        tags={tag["key"]: tag["value"] for tag in described.get_tags()},
        launched=described.launch_time.isoformat(),
    )


def _interface(index: int, nic: Any, described: Any, subnets: dict[str, Subnet]) -> Interface:
    private = [IPv4Address(nic.private_ip_address)]
    private += [
        IPv4Address(entry["PrivateIpAddress"])
        for entry in nic.private_ip_addresses
        if entry["PrivateIpAddress"] != nic.private_ip_address
    ]
    public = tuple((IPv4Address(inside), IPv4Address(outside)) for inside, outside in public_of(nic))
    return Interface(
        id=nic.id,
        instance_id=described.id,
        subnet=subnets[nic.subnet.id],
        addresses=tuple(private),
        mac=nic.mac_address,
        index=index,
        groups=tuple(sorted(group.id for group in nic.group_set)),
        public=public,
    )


def _role(profile: Any) -> str:
    if not profile:
        return ""
    name = profile.get("Name") or str(profile.get("Arn", "")).rsplit("/", 1)[-1]
    return str(name)
