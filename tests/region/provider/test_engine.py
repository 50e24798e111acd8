"""The provider under the real engine: what an operator does to a stack, and what must come of it."""

from typing import Any

NETWORK = """
vpc = aws.ec2.Vpc("mail", cidr_block="10.20.0.0/16", enable_dns_hostnames=True, tags={"Name": "mail"})
gateway = aws.ec2.InternetGateway("mail", vpc_id=vpc.id)
table = aws.ec2.RouteTable("mail", vpc_id=vpc.id)
aws.ec2.Route("out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
for index, zone in enumerate("abc"):
    subnet = aws.ec2.Subnet(
        f"mail-{zone}", vpc_id=vpc.id, cidr_block=f"10.20.{index}.0/24", availability_zone=f"us-east-1{zone}"
    )
    aws.ec2.RouteTableAssociation(f"mail-{zone}", subnet_id=subnet.id, route_table_id=table.id)
pulumi.export("vpc", vpc.id)
"""
UNCHANGED = ("preview", "--refresh", "--expect-no-changes")


def test_a_network_comes_up_stays_unchanged_and_goes(aws: Any, engine: Any) -> None:
    engine.write(NETWORK)
    engine("preview")
    engine("up", "--yes", "--skip-preview")
    engine("preview", "--expect-no-changes")
    engine(*UNCHANGED)
    engine("destroy", "--yes", "--skip-preview")
    assert len(aws.client("ec2").describe_vpcs()["Vpcs"]) == 1  # the account's default one
