"""Network load balancers, their targets and certificates: what the API answers, and what is read from it to be run."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from postroad_region.api import certificates, clock, elbv2_targets, snapshot
from postroad_region.api.state import StateFile
from postroad_region.balancer import health
from postroad_region.balancer.model import Draining, HealthCheck
from postroad_region.ca import Authority, ensure_authority

from tests.region.api.conftest import Aws, Place

ACCOUNT, REGION = "123456789012", "us-east-1"


@pytest.fixture(autouse=True)
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = ensure_authority(tmp_path / "ca")
    monkeypatch.setattr(certificates, "authority", lambda: made)
    return made


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(clock, "source", lambda: now[0])
    return now


@dataclass(frozen=True)
class Front:
    """A balancer in two zones with a target group of one instance."""

    arn: str
    group: str
    security_group: str
    instance: str
    other_subnet: str


def create(aws: Aws, name: str = "front", **parameters: Any) -> dict[str, Any]:
    made: dict[str, Any] = aws.elbv2.create_load_balancer(Name=name, Type="network", **parameters)["LoadBalancers"][0]
    return made


@pytest.fixture
def front(aws: Aws, place: Place) -> Front:
    other = aws.ec2.create_subnet(VpcId=place.vpc, CidrBlock="10.20.2.0/24", AvailabilityZone="us-east-1b")
    other_subnet = other["Subnet"]["SubnetId"]
    security_group = aws.ec2.create_security_group(GroupName="front", Description="front", VpcId=place.vpc)["GroupId"]
    balancer = create(aws, Subnets=[place.subnet, other_subnet], SecurityGroups=[security_group])
    group = aws.elbv2.create_target_group(
        Name="mta",
        Protocol="TCP",
        Port=587,
        VpcId=place.vpc,
        HealthCheckProtocol="HTTP",
        HealthCheckPort="8025",
        HealthCheckPath="/ready",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    aws.elbv2.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[
            {"Key": "preserve_client_ip.enabled", "Value": "false"},
            {"Key": "proxy_protocol_v2.enabled", "Value": "true"},
            {"Key": "deregistration_delay.timeout_seconds", "Value": "60"},
        ],
    )
    instance = aws.ec2.run_instances(ImageId=place.image, MinCount=1, MaxCount=1, SubnetId=place.subnet)
    instance_id = instance["Instances"][0]["InstanceId"]
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance_id}])
    return Front(balancer["LoadBalancerArn"], group, security_group, instance_id, other_subnet)


def listen(aws: Aws, front: Front, port: int = 587, protocol: str = "TCP", **parameters: Any) -> str:
    actions = [{"Type": "forward", "TargetGroupArn": front.group}]
    made = aws.elbv2.create_listener(
        LoadBalancerArn=front.arn, Port=port, Protocol=protocol, DefaultActions=actions, **parameters
    )
    return str(made["Listeners"][0]["ListenerArn"])


def health_of(aws: Aws, front: Front) -> dict[str, tuple[str, str | None]]:
    described = aws.elbv2.describe_target_health(TargetGroupArn=front.group)["TargetHealthDescriptions"]
    return {
        each["Target"]["Id"]: (each["TargetHealth"]["State"], each["TargetHealth"].get("Reason")) for each in described
    }


def taken(aws: Aws) -> Any:
    with aws.api.lock:
        return snapshot.take(ACCOUNT, REGION)


def test_a_network_load_balancer_is_named_and_has_an_interface_with_its_groups_in_each_subnet(
    aws: Aws, front: Front
) -> None:
    balancer = aws.elbv2.describe_load_balancers(LoadBalancerArns=[front.arn])["LoadBalancers"][0]
    number = front.arn.rsplit("/", 1)[-1]
    assert f"loadbalancer/net/front/{number}" in front.arn
    assert balancer["DNSName"] == f"front-{number}.elb.us-east-1.amazonaws.com"
    assert balancer["CanonicalHostedZoneId"] == "Z26RNL4JYFTOTI"
    described = aws.ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": [f"ELB net/front/{number}"]}]
    )["NetworkInterfaces"]
    assert {each["AvailabilityZone"] for each in described} == {"us-east-1a", "us-east-1b"}
    assert all([g["GroupId"] for g in each["Groups"]] == [front.security_group] for each in described)
    assert all(each["RequesterManaged"] for each in described)


def test_what_faces_the_internet_has_public_addresses_and_what_is_internal_none(aws: Aws, place: Place) -> None:
    create(aws, "outside", Subnets=[place.subnet])
    create(aws, "inside", Subnets=[place.subnet], Scheme="internal")
    nodes = {balancer.name: balancer.nodes[0] for balancer in taken(aws).balancers}
    assert nodes["outside"].public in [IPv4Address(f"198.18.113.{n}") for n in range(2, 255)]
    assert nodes["inside"].public is None


def test_an_elastic_ip_asked_for_is_the_nodes_and_is_free_after_the_balancer(aws: Aws, place: Place) -> None:
    eip = aws.ec2.allocate_address(Domain="vpc")
    mapping = {"SubnetId": place.subnet, "AllocationId": eip["AllocationId"]}
    balancer = create(aws, SubnetMappings=[mapping])
    address = balancer["AvailabilityZones"][0]["LoadBalancerAddresses"][0]
    assert (address["IpAddress"], address["AllocationId"]) == (eip["PublicIp"], eip["AllocationId"])
    assert str(taken(aws).balancers[0].nodes[0].public) == eip["PublicIp"]
    aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert "AssociationId" not in aws.ec2.describe_addresses()["Addresses"][0]
    aws.ec2.release_address(AllocationId=eip["AllocationId"])


def test_a_deleted_balancer_leaves_no_interface(aws: Aws, front: Front) -> None:
    before = len(taken(aws).fabric.interfaces)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=front.arn)
    assert before - len(taken(aws).fabric.interfaces) == 2
    assert taken(aws).balancers == ()


def test_zones_come_and_go(aws: Aws, place: Place, front: Front) -> None:
    first = {node.zone: node for node in taken(aws).balancers[0].nodes}
    aws.elbv2.set_subnets(LoadBalancerArn=front.arn, Subnets=[front.other_subnet])
    assert [node.zone for node in taken(aws).balancers[0].nodes] == ["us-east-1b"]
    aws.elbv2.set_subnets(LoadBalancerArn=front.arn, Subnets=[place.subnet, front.other_subnet])
    again = {node.zone: node for node in taken(aws).balancers[0].nodes}
    assert again["us-east-1b"] == first["us-east-1b"]
    assert again["us-east-1a"].name != first["us-east-1a"].name


def test_a_balancer_that_is_protected_is_not_deleted(aws: Aws, front: Front) -> None:
    aws.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=front.arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    assert aws.refused(aws.elbv2.delete_load_balancer, LoadBalancerArn=front.arn) == "OperationNotPermitted"


def test_what_elb_refuses_is_refused_with_its_code(aws: Aws, place: Place, front: Front) -> None:
    second = aws.ec2.create_subnet(VpcId=place.vpc, CidrBlock="10.20.3.0/24", AvailabilityZone="us-east-1a")
    subnets = [place.subnet, second["Subnet"]["SubnetId"]]
    listen(aws, front, 25)
    assert aws.refused(create, aws=aws, name="front", Subnets=[place.subnet]) == "DuplicateLoadBalancerName"
    assert aws.refused(create, aws=aws, name="two", Subnets=subnets) == "InvalidConfigurationRequest"
    assert (
        aws.refused(create, aws=aws, name="three", Subnets=[place.subnet], SecurityGroups=["sg-0"])
        == "InvalidSecurityGroup"
    )
    assert aws.refused(listen, aws=aws, front=front, port=465, protocol="TLS") == "CertificateNotFound"
    assert aws.refused(listen, aws=aws, front=front, port=25) == "DuplicateListener"


def test_a_balancer_without_groups_filters_nothing(aws: Aws, place: Place) -> None:
    create(aws, Subnets=[place.subnet])
    fabric = taken(aws).fabric
    groups = {group.id: group for group in fabric.groups}
    (interface,) = [each for each in fabric.interfaces if each.instance_id.startswith("nlb-")]
    (group,) = interface.groups
    assert groups[group].ingress
    assert groups[group].egress


def test_what_is_run_is_what_the_api_says(aws: Aws, front: Front, at: list[float]) -> None:
    listen(aws, front)
    (balancer,) = taken(aws).balancers
    (group,) = balancer.groups
    (target,) = group.targets
    assert group.check == HealthCheck("HTTP", 8025, "/ready", "200-399", 5, 2, 2, 2)
    assert (group.proxy_protocol, group.cross_zone, group.cuts_unhealthy) == (True, False, True)
    assert (target.id, target.port, target.zone) == (front.instance, 587, "us-east-1a")
    assert group.targets_of("us-east-1a") == (target,)
    assert group.targets_of("us-east-1b") == ()
    assert [(each.port, each.protocol, each.idle) for each in balancer.listeners] == [(587, "TCP", 350)]
    assert balancer.unsupported == ()


def test_the_group_decides_about_zones_before_the_balancer(aws: Aws, front: Front) -> None:
    listen(aws, front)
    key = "load_balancing.cross_zone.enabled"
    aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=front.arn, Attributes=[{"Key": key, "Value": "true"}])
    assert taken(aws).balancers[0].groups[0].cross_zone
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=front.group, Attributes=[{"Key": key, "Value": "false"}])
    assert not taken(aws).balancers[0].groups[0].cross_zone


def test_a_deregistered_target_drains_for_its_delay_and_is_unused_then(aws: Aws, front: Front, at: list[float]) -> None:
    listen(aws, front)
    aws.elbv2.deregister_targets(TargetGroupArn=front.group, Targets=[{"Id": front.instance}])
    assert health_of(aws, front) == {front.instance: ("draining", "Target.DeregistrationInProgress")}
    (group,) = taken(aws).balancers[0].groups
    assert group.targets == ()
    assert group.draining == (Draining(front.instance, at[0] + 60),)
    at[0] += 61
    assert health_of(aws, front) == {}
    asked = aws.elbv2.describe_target_health(TargetGroupArn=front.group, Targets=[{"Id": front.instance}])
    assert asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_a_target_that_is_not_registered_may_be_deregistered(aws: Aws, front: Front) -> None:
    for _ in range(2):
        aws.elbv2.deregister_targets(TargetGroupArn=front.group, Targets=[{"Id": front.instance}])


def test_health_is_what_the_balancers_see(aws: Aws, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[tuple[str, str], health.TargetState] = {}
    monkeypatch.setattr(elbv2_targets, "observed", lambda: seen)
    assert health_of(aws, front) == {front.instance: ("unused", "Target.NotInUse")}
    listen(aws, front)
    assert health_of(aws, front) == {front.instance: ("initial", "Elb.RegistrationInProgress")}
    seen[front.group, front.instance] = health.UNHEALTHY
    assert health_of(aws, front) == {front.instance: ("unhealthy", "Target.FailedHealthChecks")}
    seen[front.group, front.instance] = health.HEALTHY
    assert health_of(aws, front) == {front.instance: ("healthy", None)}
    aws.ec2.stop_instances(InstanceIds=[front.instance])
    assert health_of(aws, front) == {front.instance: ("unused", "Target.InvalidState")}
    assert taken(aws).balancers[0].groups[0].targets == ()


def test_the_check_of_a_group_can_be_changed(aws: Aws, front: Front) -> None:
    listen(aws, front)
    aws.elbv2.modify_target_group(
        TargetGroupArn=front.group, HealthCheckPath="/health", Matcher={"HttpCode": "200"}, HealthCheckIntervalSeconds=7
    )
    check = taken(aws).balancers[0].groups[0].check
    assert (check.path, check.codes, check.interval) == ("/health", "200", 7)


def test_preserving_client_addresses_is_said_to_be_left_out(aws: Aws, front: Front) -> None:
    listen(aws, front)
    aws.elbv2.modify_target_group_attributes(
        TargetGroupArn=front.group, Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    )
    (line,) = taken(aws).balancers[0].unsupported
    assert "preserve_client_ip" in line


@pytest.fixture
def zone(aws: Aws) -> str:
    return str(aws.route53.create_hosted_zone(Name="postroad.test", CallerReference="1")["HostedZone"]["Id"])


def request_certificate(aws: Aws) -> str:
    made = aws.acm.request_certificate(DomainName="smtp.postroad.test", ValidationMethod="DNS")
    return str(made["CertificateArn"])


def validate(aws: Aws, zone: str, arn: str) -> None:
    described = aws.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    record = described["DomainValidationOptions"][0]["ResourceRecord"]
    entry = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    aws.route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": entry}]}
    )


def status_of(aws: Aws, arn: str) -> str:
    return str(aws.acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"])


def test_a_certificate_is_issued_by_the_regions_authority_when_its_record_is_there(
    aws: Aws, zone: str, authority: Authority
) -> None:
    arn = request_certificate(aws)
    assert status_of(aws, arn) == "PENDING_VALIDATION"
    validate(aws, zone, arn)
    assert status_of(aws, arn) == "ISSUED"
    issued = x509.load_pem_x509_certificate(aws.acm.get_certificate(CertificateArn=arn)["Certificate"].encode())
    public = authority.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    issued.verify_directly_issued_by(authority.certificate)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["smtp.postroad.test"]


def test_a_tls_listener_has_its_certificate_and_waits_for_it_to_be_issued(aws: Aws, front: Front, zone: str) -> None:
    arn = request_certificate(aws)
    listener = listen(aws, front, 465, "TLS", Certificates=[{"CertificateArn": arn}])
    assert taken(aws).balancers[0].listeners == ()
    assert "PENDING_VALIDATION" in taken(aws).balancers[0].unsupported[0]
    validate(aws, zone, arn)
    (run,) = taken(aws).balancers[0].listeners
    (pem,) = run.certificates
    assert pem.count("BEGIN CERTIFICATE") == 1
    assert pem.count("PRIVATE KEY") == 2
    described = aws.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    assert described["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    aws.elbv2.modify_listener(ListenerArn=listener, Port=466, Protocol="TLS")
    assert [each.port for each in taken(aws).balancers[0].listeners] == [466]


def test_an_imported_certificate_serves_too(aws: Aws, front: Front, authority: Authority) -> None:
    issued = authority.issue(["smtp.postroad.test"])
    leaf, mark, chain = issued.chain.partition(b"-----END CERTIFICATE-----\n")
    arn = aws.acm.import_certificate(Certificate=leaf + mark, PrivateKey=issued.key, CertificateChain=chain)
    listen(aws, front, 465, "TLS", Certificates=[{"CertificateArn": arn["CertificateArn"]}])
    (listener,) = taken(aws).balancers[0].listeners
    assert (leaf + mark).decode().strip() in listener.certificates[0]


def test_balancers_targets_and_certificates_outlive_the_daemon(
    aws: Aws, front: Front, zone: str, tmp_path: Path
) -> None:
    arn = request_certificate(aws)
    validate(aws, zone, arn)
    listen(aws, front, 465, "TLS", Certificates=[{"CertificateArn": arn}])
    before = taken(aws).balancers
    state = StateFile(tmp_path / "state")
    (tmp_path / "state").mkdir()
    assert state.load() is False
    state.wait_saved(state.changed(), aws.api.lock)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=front.arn)
    with aws.api.lock:
        assert StateFile(tmp_path / "state").load()
    assert taken(aws).balancers == before
