"""Records of a public zone."""

import subprocess
from typing import Any

from postroad_region import addresses

from tests.e2e.campaign.part import NAME, Place, client


class Names:
    """A record changes, and the region's servers tell it."""

    def __init__(self, place: Place) -> None:
        self._chance = place.chance
        self._route53 = client("route53")
        zones = self._route53.list_hosted_zones()["HostedZones"]
        self._zone = next(zone["Id"] for zone in zones if not zone["Config"].get("PrivateZone"))
        self._domain = next(zone["Name"] for zone in zones if zone["Id"] == self._zone)
        self.operations = [self.change_a_record]

    def change_a_record(self) -> None:
        value = f"198.51.100.{self._chance.randrange(1, 250)}"
        record = {"Name": f"{NAME}.{self._domain}", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": value}]}
        self._change([{"Action": "UPSERT", "ResourceRecordSet": record}])

    def disagreements(self) -> list[str]:
        wrong = []
        for record in self._records():
            told = served(record["Name"])
            if told != record["ResourceRecords"][0]["Value"]:
                wrong.append(f"{record['Name']} answers {told or 'nothing'}")
        return wrong

    def tidy(self) -> None:
        self._change([{"Action": "DELETE", "ResourceRecordSet": record} for record in self._records()])

    def _records(self) -> list[dict[str, Any]]:
        found = self._route53.list_resource_record_sets(HostedZoneId=self._zone)["ResourceRecordSets"]
        return [record for record in found if record["Name"].startswith(f"{NAME}.")]

    def _change(self, changes: list[dict[str, Any]]) -> None:
        if changes:
            self._route53.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": changes})


def served(name: str) -> str:
    """What the region's public servers answer."""
    dig = ["ip", "netns", "exec", addresses.INTERNET, "dig", "+short", "+norecurse", "+time=2", "+tries=1"]
    return subprocess.run(
        [*dig, "@198.51.100.53", name, "A"], capture_output=True, text=True, check=False
    ).stdout.strip()
