"""The network of a stack: two peered VPCs, their subnets in every zone, and what hosts need to start."""

import pulumi_aws as aws
from postroad_infra.address_plan import SubnetKind
from postroad_infra.artifacts_bucket import ArtifactsBucket, ArtifactsBucketArgs
from postroad_infra.flow_log import FlowLogDestination, FlowLogDestinationArgs
from postroad_infra.peering import Peering, PeeringArgs
from postroad_infra.s3_endpoint import S3Endpoint, S3EndpointArgs
from postroad_infra.settings import NetworkSettings, load_settings
from postroad_infra.settings.network import DNS_SUBNETS, MAIL_SUBNETS
from postroad_infra.stack_outputs import NetworkOutputs, NetworkZoneOutputs, export_outputs
from postroad_infra.tags import Tags
from postroad_infra.vpc import Vpc, VpcArgs

settings = load_settings(NetworkSettings)
tags = Tags(settings.stack)

flow_logs = FlowLogDestination(
    "flow-logs",
    FlowLogDestinationArgs(
        retention_days=settings.flow_logs.retention_days, interval_s=settings.flow_logs.interval_s, tags=tags
    ),
)
mail, dns = (
    Vpc(
        name,
        VpcArgs(
            cidr=str(vpc.cidr),
            subnets=vpc.plan().subnets(kinds, settings.zones),
            flow_logs=flow_logs,
            public_hosts=public_hosts,
            tags=tags,
        ),
    )
    # Resolvers recurse from their own public addresses; mail leaves from Elastic IPs alone.
    for name, vpc, kinds, public_hosts in (
        ("mail", settings.mail_vpc, MAIL_SUBNETS, False),
        ("dns", settings.dns_vpc, DNS_SUBNETS, True),
    )
)
Peering("mail-dns", PeeringArgs(requester=mail, accepter=dns, tags=tags))
endpoints = [
    S3Endpoint(f"{vpc.name}-s3", S3EndpointArgs(vpc=vpc, region=settings.region, tags=tags)) for vpc in (mail, dns)
]
artifacts = ArtifactsBucket(
    "artifacts",
    ArtifactsBucketArgs(
        bucket=settings.artifacts.bucket,
        endpoint_ids=[endpoint.id for endpoint in endpoints],
        protection=settings.protection,
        tags=tags,
    ),
)
key = aws.ec2.KeyPair(
    "operators",
    key_name=f"postroad-{settings.stack}",
    public_key=settings.key_pair.text(),
    tags=tags.of(tier="network", name="operators"),
)
management = mail.subnets[SubnetKind.MANAGEMENT, settings.zones[0]]
export_outputs(
    NetworkOutputs(
        mail_vpc_id=mail.id,
        mail_vpc_cidr=mail.cidr,
        dns_vpc_id=dns.id,
        dns_vpc_cidr=dns.cidr,
        management_subnet_id=management.id,
        management_cidr=management.cidr,
        s3_prefix_list_id=endpoints[0].prefix_list_id,
        key_name=key.key_name,
        artifacts_bucket=artifacts.bucket,
        zones={
            zone: NetworkZoneOutputs(
                mail_private_subnet_id=mail.subnets[SubnetKind.PRIVATE, zone].id,
                mail_public_subnet_id=mail.subnets[SubnetKind.PUBLIC, zone].id,
                mail_public_kept_cidr=str(settings.mail_vpc.plan().subnet(SubnetKind.PUBLIC, zone).kept),
                dns_public_subnet_id=dns.subnets[SubnetKind.PUBLIC, zone].id,
            )
            for zone in settings.zones
        },
    )
)
