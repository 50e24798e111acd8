"""One case per type: what a program says, how it changes, and what someone changes by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A type's life in a test.

    Attributes:
        type: the type token.
        inputs: what the program says, given the world.
        update: inputs that change in place; None for a type without any.
        hand: changes the resource past the provider: gets the world, the id and the state.
        sees: the path at which the difference after `hand` must show; "" if `hand` removes the resource.
        import_id: what `pulumi import` would get; the id by default.
        label: tells cases of one type apart.
        aside: inputs that an import can't give back as the program wrote them.
        stays: AWS has no call that removes it, so it still reads after a delete.
        only_grows: AWS has no call that takes back what someone raised by hand.
    """

    type: str
    inputs: Callable[["World"], Inputs]
    update: Callable[["World"], Inputs] | None
    hand: Callable[["World", str, Inputs], Any]
    sees: str
    import_id: Callable[[str, Inputs], str] = lambda identifier, state: identifier
    label: str = ""
    aside: frozenset[str] = frozenset()
    stays: bool = False
    only_grows: bool = False

    def __str__(self) -> str:
        return self.type.split(":")[-1] + (f"-{self.label}" if self.label else "")


class World:
    """What the cases' resources stand on, made past the provider, as it is needed."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.made: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        return self.aws.client(service)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @property
    def vpc(self) -> str:
        return self.once("vpc", lambda: self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"])

    @property
    def other_vpc(self) -> str:
        return self.once("other", lambda: self.ec2.create_vpc(CidrBlock="10.21.0.0/16")["Vpc"]["VpcId"])

    @property
    def certificate(self) -> str:
        """A certificate whose validation record is in place."""

        def make() -> str:
            arn = self.acm.request_certificate(DomainName="smtp.validated.test", ValidationMethod="DNS")[
                "CertificateArn"
            ]
            described = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
            record = described["DomainValidationOptions"][0]["ResourceRecord"]
            values = [{"Value": record["Value"]}]
            entry = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": values}
            zone = self.route53.create_hosted_zone(Name="validated.test", CallerReference="validated")["HostedZone"][
                "Id"
            ]
            self.route53.change_resource_record_sets(
                HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": entry}]}
            )
            return str(arn)

        return str(self.once("certificate", make))

    @property
    def subnet(self) -> str:
        return self.once("subnet", lambda: self._subnet(9))

    @property
    def subnet2(self) -> str:
        return self.once("subnet2", lambda: self._subnet(10))

    def _subnet(self, number: int) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone="us-east-1a")
        return made["Subnet"]["SubnetId"]

    @property
    def allocation(self) -> str:
        return str(self.once("allocation", lambda: self.ec2.allocate_address(Domain="vpc")["AllocationId"]))

    @property
    def interface(self) -> str:
        """An interface that holds two addresses."""

        def make() -> str:
            addresses = [{"PrivateIpAddress": f"10.20.9.{last}", "Primary": last == 128} for last in (128, 129)]
            made = self.ec2.create_network_interface(SubnetId=self.subnet, PrivateIpAddresses=addresses)
            return str(made["NetworkInterface"]["NetworkInterfaceId"])

        return str(self.once("interface", make))

    @property
    def table(self) -> str:
        return self.once("table", self.new_table)

    def new_table(self) -> str:
        return self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]

    @property
    def gateway(self) -> str:
        def make() -> str:
            number = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            self.ec2.attach_internet_gateway(InternetGatewayId=number, VpcId=self.vpc)
            return number

        return self.once("gateway", make)

    @property
    def peering(self) -> str:
        def make() -> str:
            made = self.ec2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=self.other_vpc)
            number = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
            self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=number)
            return number

        return self.once("peering", make)

    @property
    def group(self) -> str:
        return self.once("group", lambda: self.new_group("first"))

    def new_group(self, name: str) -> str:
        return self.ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc)["GroupId"]

    @property
    def acl(self) -> str:
        return self.once("acl", lambda: self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"])

    @property
    def address(self) -> str:
        return self.once("address", lambda: self.ec2.allocate_address(Domain="vpc")["AllocationId"])

    @property
    def image(self) -> str:
        return self.once("image", lambda: self.ec2.describe_images()["Images"][0]["ImageId"])

    @property
    def instance(self) -> str:
        def make() -> str:
            made = self.ec2.run_instances(ImageId=self.image, MinCount=1, MaxCount=1, SubnetId=self.subnet)
            return made["Instances"][0]["InstanceId"]

        return self.once("instance", make)

    @property
    def volume(self) -> str:
        return self.once("volume", lambda: self.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"])

    @property
    def template(self) -> str:
        def make() -> str:
            data = {"ImageId": self.image, "InstanceType": "t3.micro"}
            made = self.ec2.create_launch_template(LaunchTemplateName="base", LaunchTemplateData=data)
            return made["LaunchTemplate"]["LaunchTemplateId"]

        return self.once("template", make)

    @property
    def asg(self) -> str:
        def make() -> str:
            self.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName="stood-on",
                MinSize=0,
                MaxSize=1,
                LaunchTemplate={"LaunchTemplateId": self.template, "Version": "1"},
                VPCZoneIdentifier=self.subnet,
            )
            return "stood-on"

        return self.once("asg", make)

    @property
    def key(self) -> str:
        return self.once("key", lambda: self.kms.create_key()["KeyMetadata"]["KeyId"])

    @property
    def key2(self) -> str:
        return self.once("key2", lambda: self.kms.create_key()["KeyMetadata"]["KeyId"])

    @property
    def subnet3(self) -> str:
        def make() -> str:
            made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.20.11.0/24", AvailabilityZone="us-east-1b")
            return made["Subnet"]["SubnetId"]

        return self.once("subnet3", make)

    @property
    def balancer(self) -> str:
        def make() -> str:
            made = self.elbv2.create_load_balancer(Name="stood-on", Type="network", Subnets=[self.subnet])
            return made["LoadBalancers"][0]["LoadBalancerArn"]

        return self.once("balancer", make)

    def targets(self, name: str) -> str:
        def make() -> str:
            made = self.elbv2.create_target_group(Name=name, Port=587, Protocol="TCP", VpcId=self.vpc)
            return made["TargetGroups"][0]["TargetGroupArn"]

        return self.once(name, make)

    @property
    def zone(self) -> str:
        made = self.once("zone", lambda: self.route53.create_hosted_zone(Name="postroad.test", CallerReference="1"))
        return made["HostedZone"]["Id"].rpartition("/")[2]

    def published(self, *hosts: str) -> str:
        """The address, with A records that point to it: AWS wants them before a reverse name."""

        def make() -> None:
            found = self.ec2.describe_addresses(AllocationIds=[self.address])["Addresses"][0]["PublicIp"]
            changes = [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": f"{host}.postroad.test",
                        "Type": "A",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": found}],
                    },
                }
                for host in hosts
            ]
            self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})

        self.once("published", make)
        return self.address

    @property
    def bucket(self) -> str:
        def make() -> str:
            self.s3.create_bucket(Bucket="stood-on")
            return "stood-on"

        return self.once("bucket", make)

    @property
    def role(self) -> str:
        def make() -> str:
            self.iam.create_role(RoleName="stood-on", AssumeRolePolicyDocument=TRUST)
            return "stood-on"

        return self.once("role", make)

    @property
    def policy(self) -> str:
        def make() -> str:
            return self.iam.create_policy(PolicyName="stood-on", PolicyDocument=ALLOW)["Policy"]["Arn"]

        return self.once("policy", make)


def _policy(action: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
)
ALLOW = _policy("s3:GetObject")
OTHER = _policy("s3:ListBucket")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBMZEVlbqgmfPVkOpgNz4fmTjsHhV6Fjoqfu2y5lMLFV"


def tag(world: World, identifier: str, state: Inputs) -> None:
    world.ec2.create_tags(Resources=[identifier], Tags=[{"Key": "Hand", "Value": "made"}])


def _bucket_policy(action: str) -> str:
    return _policy(action, Principal="*", Resource="arn:aws:s3:::stood-on/*")


TAGS = {"Name": "mail", "Tier": "network"}

NETWORK = (
    Case(
        "aws:ec2/vpc:Vpc",
        lambda w: {"cidrBlock": "10.30.0.0/16", "enableDnsHostnames": True, "tags": TAGS},
        lambda w: {"enableDnsHostnames": False, "tags": {"Name": "post"}},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/vpc:Vpc",
        lambda w: {"cidrBlock": "10.30.0.0/16"},
        lambda w: {"enableDnsHostnames": True},
        lambda w, i, s: w.ec2.modify_vpc_attribute(VpcId=i, EnableDnsSupport={"Value": False}),
        "enableDnsSupport",
        label="attribute",
    ),
    Case(
        "aws:ec2/subnet:Subnet",
        lambda w: {
            "vpcId": w.vpc,
            "cidrBlock": "10.20.1.0/24",
            "availabilityZone": "us-east-1b",
            "mapPublicIpOnLaunch": True,
            "tags": TAGS,
        },
        lambda w: {"mapPublicIpOnLaunch": False},
        lambda w, i, s: w.ec2.modify_subnet_attribute(SubnetId=i, MapPublicIpOnLaunch={"Value": False}),
        "mapPublicIpOnLaunch",
    ),
    Case(
        "aws:ec2/internetGateway:InternetGateway",
        lambda w: {"vpcId": w.vpc, "tags": TAGS},
        lambda w: {"vpcId": w.other_vpc},
        lambda w, i, s: w.ec2.detach_internet_gateway(InternetGatewayId=i, VpcId=s["vpcId"]),
        "vpcId",
    ),
    Case(
        "aws:ec2/routeTable:RouteTable",
        lambda w: {"vpcId": w.vpc, "tags": TAGS},
        lambda w: {"tags": {"Name": "other"}},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/route:Route",
        lambda w: {"routeTableId": w.table, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": w.gateway},
        lambda w: {"gatewayId": None, "vpcPeeringConnectionId": w.peering},
        lambda w, i, s: w.ec2.delete_route(RouteTableId=w.table, DestinationCidrBlock="0.0.0.0/0"),
        "",
        lambda i, s: f"{s['routeTableId']}_{s['destinationCidrBlock']}",
    ),
    Case(
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        lambda w: {"routeTableId": w.table, "subnetId": w.subnet},
        lambda w: {"routeTableId": w.once("table2", w.new_table)},
        lambda w, i, s: w.ec2.replace_route_table_association(
            AssociationId=i, RouteTableId=w.once("table3", w.new_table)
        ),
        "routeTableId",
        lambda i, s: f"{s['subnetId']}/{s['routeTableId']}",
    ),
    Case(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: {
            "vpcId": w.vpc,
            "serviceName": "com.amazonaws.us-east-1.s3",
            "routeTableIds": [w.table],
            "policy": _policy("s3:GetObject", Principal="*"),
            "tags": TAGS,
        },
        lambda w: {
            "routeTableIds": [w.table, w.once("table2", w.new_table)],
            "policy": _policy("s3:ListBucket", Principal="*"),
        },
        lambda w, i, s: w.ec2.modify_vpc_endpoint(VpcEndpointId=i, RemoveRouteTableIds=[w.table]),
        "routeTableIds",
    ),
    Case(
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        lambda w: {"vpcId": w.vpc, "peerVpcId": w.other_vpc, "autoAccept": True, "tags": TAGS},
        lambda w: {"accepter": {"allowRemoteVpcDnsResolution": True}},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/flowLog:FlowLog",
        lambda w: {
            "vpcId": w.vpc,
            "trafficType": "REJECT",
            "logDestinationType": "s3",
            "logDestination": f"arn:aws:s3:::{w.bucket}",
            "tags": TAGS,
        },
        lambda w: {"tags": {}},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/securityGroup:SecurityGroup",
        lambda w: {"vpcId": w.vpc, "description": "the MTAs", "tags": TAGS},
        lambda w: {"tags": {"Name": "mta"}},
        tag,
        "tags.Hand",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda w: {
            "securityGroupId": w.group,
            "ipProtocol": "tcp",
            "fromPort": 587,
            "toPort": 587,
            "cidrIpv4": "10.20.255.0/24",
            "description": "submission",
            "tags": TAGS,
        },
        lambda w: {"description": "mail", "fromPort": 25},
        lambda w, i, s: w.ec2.revoke_security_group_ingress(GroupId=w.group, SecurityGroupRuleIds=[i]),
        "",
    ),
    Case(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda w: {
            "securityGroupId": w.group,
            "ipProtocol": "udp",
            "fromPort": 53,
            "toPort": 53,
            "referencedSecurityGroupId": w.once("peer", lambda: w.new_group("peer")),
        },
        lambda w: {"toPort": 54},
        tag,
        "tags.Hand",
        label="group",
    ),
    Case(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda w: {"securityGroupId": w.group, "ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8"},
        lambda w: {"tags": TAGS},
        tag,
        "tags.Hand",
        label="all",
    ),
    Case(
        "aws:ec2/networkAcl:NetworkAcl",
        lambda w: {"vpcId": w.vpc, "subnetIds": [w.subnet], "tags": TAGS},
        lambda w: {"subnetIds": [w.subnet2]},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/networkAclRule:NetworkAclRule",
        lambda w: {
            "networkAclId": w.acl,
            "ruleNumber": 100,
            "egress": False,
            "protocol": "tcp",
            "ruleAction": "allow",
            "cidrBlock": "10.20.0.0/16",
            "fromPort": 53,
            "toPort": 53,
        },
        None,
        lambda w, i, s: w.ec2.replace_network_acl_entry(
            NetworkAclId=w.acl,
            RuleNumber=100,
            Egress=False,
            Protocol="6",
            RuleAction="deny",
            CidrBlock="10.20.0.0/16",
            PortRange={"From": 53, "To": 53},
        ),
        "ruleAction",
        lambda i, s: f"{s['networkAclId']}:100:tcp:false",
    ),
    Case(
        "aws:ec2/eip:Eip",
        lambda w: {"domain": "vpc", "tags": {"Tier": "proxy"}},
        lambda w: {"tags": {"Tier": "proxy", "Pool": "bulk"}},
        tag,
        "tags.Hand",
    ),
    Case(
        "aws:ec2/eip:Eip",
        lambda w: {"domain": "vpc", "instance": w.instance},
        lambda w: {"tags": TAGS},
        lambda w, i, s: w.ec2.disassociate_address(AssociationId=s["associationId"]),
        "instance",
        label="associated",
    ),
    Case(
        "aws:ec2/eipDomainName:EipDomainName",
        lambda w: {"allocationId": w.published("mail-a", "mail-b"), "domainName": "mail-a.postroad.test"},
        lambda w: {"domainName": "mail-b.postroad.test"},
        lambda w, i, s: w.ec2.reset_address_attribute(AllocationId=i, Attribute="domain-name"),
        "",
    ),
    Case(
        "aws:ec2/eipAssociation:EipAssociation",
        lambda w: {
            "allocationId": w.allocation,
            "networkInterfaceId": w.interface,
            "privateIpAddress": "10.20.9.129",
            "allowReassociation": True,
        },
        None,
        lambda w, i, s: w.ec2.disassociate_address(AssociationId=i),
        "",
        aside=frozenset({"allowReassociation"}),
    ),
    Case(
        "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
        lambda w: {
            "subnetId": w.subnet,
            "cidrBlock": "10.20.9.128/25",
            "reservationType": "explicit",
            "description": "sending addresses",
        },
        None,
        lambda w, i, s: w.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=i),
        "",
        lambda i, s: f"{s['subnetId']}:{i}",
    ),
    Case(
        "aws:ec2/networkInterface:NetworkInterface",
        lambda w: {
            "subnetId": w.subnet,
            "securityGroups": [w.group],
            "description": "out",
            "privateIps": ["10.20.9.40", "10.20.9.41"],
            "tags": TAGS,
        },
        lambda w: {
            "securityGroups": [w.once("peer", lambda: w.new_group("peer"))],
            "privateIps": ["10.20.9.40", "10.20.9.42"],
        },
        lambda w, i, s: w.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=i, SourceDestCheck={"Value": False}
        ),
        "sourceDestCheck",
    ),
)

COMPUTE = (
    Case(
        "aws:ec2/keyPair:KeyPair",
        lambda w: {"keyName": "postroad-local", "publicKey": f"{KEY} somebody", "tags": TAGS},
        lambda w: {"tags": {}},
        lambda w, i, s: tag(w, s["keyPairId"], s),
        "tags.Hand",
    ),
    Case(
        "aws:ec2/launchTemplate:LaunchTemplate",
        lambda w: {
            "imageId": w.image,
            "instanceType": "t3.small",
            "keyName": "postroad",
            "userData": "IyEvYmluL3NoCg==",
            "updateDefaultVersion": True,
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1, "httpEndpoint": "enabled"},
            "iamInstanceProfile": {"name": "mta"},
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 8, "volumeType": "gp3", "encrypted": "true"}}
            ],
            "networkInterfaces": [{"deviceIndex": 0, "associatePublicIpAddress": "true", "securityGroups": [w.group]}],
            "tagSpecifications": [{"resourceType": "instance", "tags": TAGS}],
            "tags": TAGS,
        },
        lambda w: {
            "instanceType": "t3.medium",
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 9, "volumeType": "gp3", "encrypted": "true"}}
            ],
        },
        lambda w, i, s: w.ec2.create_launch_template_version(
            LaunchTemplateId=i, LaunchTemplateData={"ImageId": w.image, "InstanceType": "t3.nano"}
        ),
        "instanceType",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:ebs/volume:Volume",
        lambda w: {"availabilityZone": "us-east-1a", "size": 4, "type": "gp3", "encrypted": True, "tags": TAGS},
        lambda w: {"size": 8},
        lambda w, i, s: w.ec2.modify_volume(VolumeId=i, Size=6),
        "size",
    ),
    Case(
        "aws:ec2/volumeAttachment:VolumeAttachment",
        lambda w: {"deviceName": "/dev/sdf", "instanceId": w.instance, "volumeId": w.volume},
        lambda w: {"forceDetach": True},
        lambda w, i, s: w.ec2.detach_volume(VolumeId=w.volume, InstanceId=w.instance),
        "",
    ),
    Case(
        "aws:autoscaling/group:Group",
        lambda w: {
            "name": "postroad-local-mta-a",
            "minSize": 1,
            "maxSize": 2,
            "desiredCapacity": 1,
            "launchTemplate": {"id": w.template, "version": "1"},
            "vpcZoneIdentifiers": [w.subnet],
            "healthCheckType": "EC2",
            "protectFromScaleIn": False,
            "waitForCapacityTimeout": "0",
            "tags": [{"key": "Name", "value": "mta-a", "propagateAtLaunch": True}],
        },
        lambda w: {
            "maxSize": 3,
            "desiredCapacity": 2,
            "protectFromScaleIn": True,
            "tags": [
                {"key": "Name", "value": "mta-a", "propagateAtLaunch": True},
                {"key": "Tier", "value": "mta", "propagateAtLaunch": True},
            ],
        },
        lambda w, i, s: w.autoscaling.update_auto_scaling_group(AutoScalingGroupName=i, DesiredCapacity=2),
        "desiredCapacity",
    ),
    Case(
        "aws:autoscaling/group:Group",
        lambda w: {
            "name": "postroad-local-mta-b",
            "minSize": 1,
            "maxSize": 2,
            "launchTemplate": {"id": w.template, "version": "1"},
            "vpcZoneIdentifiers": [w.subnet],
            "protectFromScaleIn": True,
            "initialLifecycleHooks": [
                {
                    "name": "drain",
                    "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                    "heartbeatTimeout": 30,
                    "defaultResult": "CONTINUE",
                }
            ],
            "instanceRefresh": {
                "strategy": "Rolling",
                "preferences": {
                    "autoRollback": True,
                    "checkpointPercentages": [50, 100],
                    "checkpointDelay": "60",
                    "instanceWarmup": "30",
                    "alarmSpecification": {"alarms": ["deferrals"]},
                },
            },
            "waitForCapacityTimeout": "0",
            "forceDelete": True,
            "tags": [],
        },
        lambda w: {"launchTemplate": {"id": w.template, "version": "$Latest"}},
        lambda w, i, s: w.autoscaling.update_auto_scaling_group(AutoScalingGroupName=i, MaxSize=3),
        "maxSize",
        label="refreshed",
    ),
    Case(
        "aws:autoscaling/group:Group",
        lambda w: {
            "minSize": 0,
            "maxSize": 0,
            "launchTemplate": {"id": w.template, "version": "$Latest"},
            "vpcZoneIdentifiers": [w.subnet],
            "suspendedProcesses": ["AZRebalance"],
            "forceDelete": True,
            "tags": [{"key": "Name", "value": "mta-a", "propagateAtLaunch": True}],
        },
        lambda w: {"suspendedProcesses": [], "healthCheckGracePeriod": 60},
        lambda w, i, s: w.autoscaling.create_or_update_tags(
            Tags=[
                {
                    "ResourceId": i,
                    "ResourceType": "auto-scaling-group",
                    "Key": "Hand",
                    "Value": "made",
                    "PropagateAtLaunch": False,
                }
            ]
        ),
        "tags",
        label="unnamed",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        lambda w: {
            "autoscalingGroupName": w.asg,
            "name": "drain",
            "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "heartbeatTimeout": 600,
            "defaultResult": "CONTINUE",
        },
        lambda w: {"heartbeatTimeout": 900},
        lambda w, i, s: w.autoscaling.delete_lifecycle_hook(AutoScalingGroupName=w.asg, LifecycleHookName=i),
        "",
        lambda i, s: f"{s['autoscalingGroupName']}/{i}",
    ),
    Case(
        "aws:autoscaling/policy:Policy",
        lambda w: {
            "autoscalingGroupName": w.asg,
            "name": "out",
            "policyType": "StepScaling",
            "adjustmentType": "ChangeInCapacity",
            "estimatedInstanceWarmup": 60,
            "stepAdjustments": [
                {"scalingAdjustment": 1, "metricIntervalLowerBound": "0", "metricIntervalUpperBound": "10.5"},
                {"scalingAdjustment": 3, "metricIntervalLowerBound": "10.5"},
            ],
        },
        lambda w: {"stepAdjustments": [{"scalingAdjustment": 2, "metricIntervalLowerBound": "0"}]},
        lambda w, i, s: w.autoscaling.delete_policy(AutoScalingGroupName=w.asg, PolicyName=i),
        "",
        lambda i, s: f"{s['autoscalingGroupName']}/{i}",
    ),
    Case(
        "aws:autoscaling/policy:Policy",
        lambda w: {
            "autoscalingGroupName": w.asg,
            "name": "track",
            "policyType": "TargetTrackingScaling",
            "targetTrackingConfiguration": {
                "targetValue": 100,
                "customizedMetricSpecification": {
                    "metrics": [
                        {
                            "id": "m1",
                            "returnData": False,
                            "metricStat": {
                                "stat": "Sum",
                                "metric": {
                                    "namespace": "AWS/SQS",
                                    "metricName": "ApproximateNumberOfMessagesVisible",
                                    "dimensions": [{"name": "QueueName", "value": "submissions"}],
                                },
                            },
                        },
                        {"id": "e1", "expression": "m1 / 2"},
                    ]
                },
            },
        },
        lambda w: {
            "targetTrackingConfiguration": {
                "targetValue": 50,
                "disableScaleIn": True,
                "predefinedMetricSpecification": {"predefinedMetricType": "ASGAverageCPUUtilization"},
            }
        },
        lambda w, i, s: w.autoscaling.put_scaling_policy(
            AutoScalingGroupName=w.asg,
            PolicyName=i,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "TargetValue": 9.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            },
        ),
        "targetTrackingConfiguration",
        lambda i, s: f"{s['autoscalingGroupName']}/{i}",
        label="tracking",
    ),
    Case(
        "aws:autoscaling/policy:Policy",
        lambda w: {
            "autoscalingGroupName": w.asg,
            "name": "simple",
            "adjustmentType": "PercentChangeInCapacity",
            "scalingAdjustment": 50,
            "minAdjustmentMagnitude": 2,
            "cooldown": 120,
        },
        lambda w: {"cooldown": 60, "enabled": False},
        lambda w, i, s: w.autoscaling.put_scaling_policy(
            AutoScalingGroupName=w.asg, PolicyName=i, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1
        ),
        "adjustmentType",
        lambda i, s: f"{s['autoscalingGroupName']}/{i}",
        label="simple",
    ),
    Case(
        "aws:servicequotas/serviceQuota:ServiceQuota",
        lambda w: {"serviceCode": "ec2", "quotaCode": "L-0263D0A3", "value": 24},
        lambda w: {"value": 30},
        lambda w, i, s: w.aws.client("service-quotas").request_service_quota_increase(
            ServiceCode="ec2", QuotaCode="L-0263D0A3", DesiredValue=40
        ),
        "value",
        stays=True,
        only_grows=True,
    ),
    Case(
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        lambda w: {
            "alarmName": "both",
            "alarmRule": "ALARM(queued) AND NOT OK(deferred)",
            "alarmDescription": "queues grow and nobody takes them",
            "tags": TAGS,
        },
        lambda w: {"alarmRule": "ALARM(queued)"},
        lambda w, i, s: w.cloudwatch.delete_alarms(AlarmNames=[i]),
        "",
    ),
)


def _hand_role(world: World, identifier: str, state: Inputs) -> None:
    world.iam.tag_role(RoleName=identifier, Tags=[{"Key": "Hand", "Value": "made"}])


def _hand_records(world: World, identifier: str, state: Inputs) -> None:
    record = {
        "Name": "mta-a.postroad.test",
        "Type": "A",
        "TTL": 300,
        "ResourceRecords": [{"Value": "10.20.0.99"}],
    }
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    world.route53.change_resource_record_sets(HostedZoneId=world.zone, ChangeBatch=change)


GLOBAL = (
    Case(
        "aws:iam/role:Role",
        lambda w: {"assumeRolePolicy": TRUST, "description": "of the MTAs", "tags": TAGS},
        lambda w: {"description": "of all MTAs", "maxSessionDuration": 7200},
        _hand_role,
        "tags.Hand",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:iam/rolePolicy:RolePolicy",
        lambda w: {"role": w.role, "name": "read", "policy": ALLOW},
        lambda w: {"policy": OTHER},
        lambda w, i, s: w.iam.put_role_policy(RoleName=w.role, PolicyName="read", PolicyDocument=OTHER),
        "policy",
    ),
    Case(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda w: {"role": w.role, "policyArn": w.policy},
        None,
        lambda w, i, s: w.iam.detach_role_policy(RoleName=w.role, PolicyArn=w.policy),
        "",
    ),
    Case(
        "aws:iam/instanceProfile:InstanceProfile",
        lambda w: {"name": "mta", "role": w.role, "tags": TAGS},
        lambda w: {"role": None},
        lambda w, i, s: w.iam.remove_role_from_instance_profile(InstanceProfileName=i, RoleName=w.role),
        "role",
    ),
    Case(
        "aws:iam/policy:Policy",
        lambda w: {"name": "read", "policy": ALLOW, "description": "reads", "tags": TAGS},
        lambda w: {"policy": OTHER},
        lambda w, i, s: w.iam.create_policy_version(PolicyArn=i, PolicyDocument=OTHER, SetAsDefault=True),
        "policy",
    ),
    Case(
        "aws:route53/zone:Zone",
        lambda w: {"name": "postroad.example", "tags": TAGS},
        lambda w: {"comment": "mail"},
        lambda w, i, s: w.route53.update_hosted_zone_comment(Id=i, Comment="by hand"),
        "comment",
    ),
    Case(
        "aws:route53/zone:Zone",
        lambda w: {"name": "postroad.internal", "vpcs": [{"vpcId": w.vpc}]},
        lambda w: {"vpcs": [{"vpcId": w.vpc}, {"vpcId": w.other_vpc}]},
        lambda w, i, s: w.route53.associate_vpc_with_hosted_zone(
            HostedZoneId=i, VPC={"VPCId": w.other_vpc, "VPCRegion": "us-east-1"}
        ),
        "vpcs",
        label="private",
    ),
    Case(
        "aws:route53/record:Record",
        lambda w: {"zoneId": w.zone, "name": "mta-a", "type": "A", "ttl": 300, "records": ["10.20.0.7", "10.20.0.5"]},
        lambda w: {"ttl": 60, "records": ["10.20.0.8"]},
        _hand_records,
        "records",
        lambda i, s: i,
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:route53/record:Record",
        lambda w: {
            "zoneId": w.zone,
            "name": "_dmarc.postroad.test",
            "type": "TXT",
            "ttl": 300,
            "records": ["v=DMARC1; p=reject"],
        },
        lambda w: {"records": ["v=DMARC1; p=none"]},
        lambda w, i, s: w.route53.change_resource_record_sets(
            HostedZoneId=w.zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "DELETE",
                        "ResourceRecordSet": {
                            "Name": s["fqdn"],
                            "Type": "TXT",
                            "TTL": 300,
                            "ResourceRecords": [{"Value": '"v=DMARC1; p=reject"'}],
                        },
                    }
                ]
            },
        ),
        "",
        label="text",
    ),
    Case(
        "aws:s3/bucket:Bucket",
        lambda w: {"bucket": "postroad-local-artifacts", "forceDestroy": True, "tags": TAGS},
        lambda w: {"tags": {"Name": "artifacts"}},
        lambda w, i, s: w.s3.put_bucket_tagging(Bucket=i, Tagging={"TagSet": [{"Key": "Hand", "Value": "made"}]}),
        "tags.Hand",
        aside=frozenset({"forceDestroy"}),
    ),
    Case(
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda w: {"bucket": w.bucket, "policy": _bucket_policy("s3:GetObject")},
        lambda w: {"policy": _bucket_policy("s3:PutObject")},
        lambda w, i, s: w.s3.put_bucket_policy(Bucket=i, Policy=_bucket_policy("s3:DeleteObject")),
        "policy",
    ),
    Case(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda w: {"bucket": w.bucket, "blockPublicAcls": True, "blockPublicPolicy": True},
        lambda w: {"ignorePublicAcls": True, "restrictPublicBuckets": True},
        lambda w, i, s: w.s3.delete_public_access_block(Bucket=i),
        "",
    ),
    Case(
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda w: {"bucket": w.bucket, "versioningConfiguration": {"status": "Enabled"}},
        lambda w: {"versioningConfiguration": {"status": "Suspended"}},
        lambda w, i, s: w.s3.put_bucket_versioning(Bucket=i, VersioningConfiguration={"Status": "Suspended"}),
        "versioningConfiguration.status",
        stays=True,
    ),
    Case(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda w: {
            "bucket": w.bucket,
            "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
        },
        lambda w: {
            "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}]
        },
        lambda w, i, s: w.s3.put_bucket_encryption(
            Bucket=i,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
            },
        ),
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
    ),
    Case(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda w: {"bucket": w.bucket, "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        lambda w: {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        lambda w, i, s: w.s3.delete_bucket_ownership_controls(Bucket=i),
        "",
    ),
)


def _hand_instance(world: World, identifier: str, state: Inputs) -> None:
    world.ec2.modify_instance_attribute(InstanceId=identifier, SourceDestCheck={"Value": False})


SERVICES = (
    Case(
        "aws:ec2/instance:Instance",
        lambda w: {
            "ami": w.image,
            "instanceType": "t3.micro",
            "subnetId": w.subnet,
            "vpcSecurityGroupIds": [w.group],
            "privateIp": "10.20.9.50",
            "userData": "#!/bin/sh\n",
            "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
            "tags": TAGS,
        },
        lambda w: {"instanceType": "t3.small", "sourceDestCheck": False},
        _hand_instance,
        "sourceDestCheck",
    ),
    Case(
        "aws:sqs/queue:Queue",
        lambda w: {
            "name": "events",
            "visibilityTimeoutSeconds": 60,
            "policy": _policy("sqs:SendMessage", Principal="*", Resource="arn:aws:sqs:us-east-1:123456789012:events"),
            "tags": TAGS,
        },
        lambda w: {"visibilityTimeoutSeconds": 90, "messageRetentionSeconds": 600},
        lambda w, i, s: w.sqs.set_queue_attributes(QueueUrl=i, Attributes={"DelaySeconds": "5"}),
        "delaySeconds",
    ),
    Case(
        "aws:sqs/queue:Queue",
        lambda w: {"fifoQueue": True, "contentBasedDeduplication": True},
        lambda w: {"contentBasedDeduplication": False},
        lambda w, i, s: w.sqs.tag_queue(QueueUrl=i, Tags={"Hand": "made"}),
        "tags.Hand",
        label="fifo",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda w: {"name": "/postroad/flow", "retentionInDays": 7, "tags": TAGS},
        lambda w: {"retentionInDays": 14},
        lambda w, i, s: w.logs.delete_retention_policy(logGroupName=i),
        "retentionInDays",
    ),
    Case(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: {
            "name": "dns-drops",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "metricName": "linklocal_allowance_exceeded",
            "namespace": "Postroad",
            "period": 60,
            "statistic": "Sum",
            "threshold": 0,
            "dimensions": {"AutoScalingGroupName": "mta-a"},
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:alarms"],
            "tags": TAGS,
        },
        lambda w: {"threshold": 5.5, "dimensions": {"AutoScalingGroupName": "mta-b"}},
        lambda w, i, s: w.cloudwatch.tag_resource(ResourceARN=s["arn"], Tags=[{"Key": "Hand", "Value": "made"}]),
        "tags.Hand",
    ),
    Case(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: {
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "threshold": 1,
            "metricQueries": [
                {"id": "e", "expression": "m * 2", "label": "twice", "returnData": True},
                {
                    "id": "m",
                    "metric": {"metricName": "queued", "namespace": "Postroad", "period": 60, "stat": "Sum"},
                },
            ],
        },
        lambda w: {"threshold": 2},
        lambda w, i, s: w.cloudwatch.delete_alarms(AlarmNames=[i]),
        "",
        label="expression",
        aside=frozenset({"name"}),
    ),
    Case(
        "aws:sns/topic:Topic",
        lambda w: {"name": "alarms", "displayName": "Alarms", "tags": TAGS},
        lambda w: {"displayName": "Postroad"},
        lambda w, i, s: w.sns.set_topic_attributes(TopicArn=i, AttributeName="DisplayName", AttributeValue="x"),
        "displayName",
    ),
    Case(
        "aws:kms/key:Key",
        lambda w: {"description": "spool", "enableKeyRotation": True, "deletionWindowInDays": 7, "tags": TAGS},
        lambda w: {"description": "spool volumes", "enableKeyRotation": False},
        lambda w, i, s: w.kms.disable_key(KeyId=i),
        "isEnabled",
    ),
    Case(
        "aws:kms/alias:Alias",
        lambda w: {"name": "alias/postroad", "targetKeyId": w.key},
        lambda w: {"targetKeyId": w.key2},
        lambda w, i, s: w.kms.delete_alias(AliasName=i),
        "",
    ),
    Case(
        "aws:lb/loadBalancer:LoadBalancer",
        lambda w: {
            "name": "submission",
            "loadBalancerType": "network",
            "internal": True,
            "subnets": [w.subnet, w.subnet3],
            "enableCrossZoneLoadBalancing": True,
            "tags": TAGS,
        },
        lambda w: {"enableCrossZoneLoadBalancing": False},
        lambda w, i, s: w.elbv2.add_tags(ResourceArns=[i], Tags=[{"Key": "Hand", "Value": "made"}]),
        "tags.Hand",
    ),
    Case(
        "aws:acm/certificate:Certificate",
        lambda w: {"domainName": "smtp.postroad.test", "validationMethod": "DNS", "tags": TAGS},
        None,
        lambda w, i, s: w.acm.delete_certificate(CertificateArn=i),
        "",
    ),
    Case(
        "aws:acm/certificateValidation:CertificateValidation",
        lambda w: {"certificateArn": w.certificate, "validationRecordFqdns": ["_x.smtp.postroad.test"]},
        None,
        lambda w, i, s: w.acm.delete_certificate(CertificateArn=i),
        "",
        aside=frozenset({"validationRecordFqdns"}),
        stays=True,
    ),
    Case(
        "aws:lb/targetGroup:TargetGroup",
        lambda w: {
            "name": "mta",
            "port": 587,
            "protocol": "TCP",
            "vpcId": w.vpc,
            "proxyProtocolV2": True,
            "preserveClientIp": "false",
            "deregistrationDelay": 120,
            "healthCheck": {"protocol": "HTTP", "port": "8025", "path": "/ready", "interval": 10},
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": False}],
            "tags": TAGS,
        },
        lambda w: {
            "deregistrationDelay": 60,
            "healthCheck": {"protocol": "HTTP", "port": "8025", "path": "/live", "interval": 10},
        },
        lambda w, i, s: w.elbv2.modify_target_group_attributes(
            TargetGroupArn=i, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
        ),
        "deregistrationDelay",
    ),
    Case(
        "aws:lb/listener:Listener",
        lambda w: {
            "loadBalancerArn": w.balancer,
            "port": 587,
            "protocol": "TCP",
            "defaultActions": [{"type": "forward", "targetGroupArn": w.targets("one")}],
            "tags": TAGS,
        },
        lambda w: {"defaultActions": [{"type": "forward", "targetGroupArn": w.targets("two")}]},
        lambda w, i, s: w.elbv2.modify_listener(ListenerArn=i, Port=25),
        "port",
    ),
)

CASES = (*NETWORK, *COMPUTE, *GLOBAL, *SERVICES)
