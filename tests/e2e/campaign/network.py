"""Elastic addresses, security groups, network ACLs."""

import subprocess

from botocore.exceptions import ClientError
from postroad_region import addresses

from tests.e2e.campaign.part import MINE, TAGS, Place, client, instances

PORT = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "10.20.255.0/24"}]}


class Network:
    """Addresses move, ports open and close, rules come and go."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ec2 = client("ec2")
        self.operations = [self.open_and_close_a_port, self.move_an_address, self.change_an_acl]

    def open_and_close_a_port(self) -> None:
        group = self._place.model["SecurityGroups"][0]["GroupId"]
        try:
            self._ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[PORT])
        except ClientError as error:
            # One that was cut short has left it open.
            if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
                raise
        self._ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[PORT])

    def move_an_address(self) -> None:
        self._release()
        tags = [{"ResourceType": "elastic-ip", "Tags": TAGS}]
        allocation = self._ec2.allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"]
        for instance in instances() or [self._place.launch()]:
            self._ec2.associate_address(AllocationId=allocation, InstanceId=instance, AllowReassociation=True)

    def change_an_acl(self) -> None:
        acl = self._acl()
        rule = {"Protocol": "6", "PortRange": {"From": 9, "To": 9}, "CidrBlock": "192.0.2.0/24", "RuleAction": "deny"}
        entry = {"NetworkAclId": acl, "RuleNumber": 31000, "Egress": False}
        try:
            self._ec2.create_network_acl_entry(**entry, **rule)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NetworkAclEntryAlreadyExists":
                raise
        self._ec2.delete_network_acl_entry(**entry)

    def _acl(self) -> str:
        found = self._ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self._place.model["VpcId"]]}])
        return str(found["NetworkAcls"][0]["NetworkAclId"])

    def disagreements(self) -> list[str]:
        rules = subprocess.run(
            ["ip", "netns", "exec", addresses.FABRIC, "nft", "list", "ruleset"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return [
            f"{address['PublicIp']} leads nowhere"
            for address in self._ec2.describe_addresses()["Addresses"]
            if "PrivateIpAddress" in address and address["PublicIp"] not in rules
        ]

    def _release(self) -> None:
        for address in self._ec2.describe_addresses(Filters=MINE)["Addresses"]:
            if "AssociationId" in address:
                self._ec2.disassociate_address(AssociationId=address["AssociationId"])
            self._ec2.release_address(AllocationId=address["AllocationId"])

    def tidy(self) -> None:
        self.open_and_close_a_port()
        self.change_an_acl()
        self._release()
