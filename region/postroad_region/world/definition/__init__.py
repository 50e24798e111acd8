"""The world's file: its schema, and what follows from it for DNS and addresses."""

from postroad_region.world.definition.incidents import Incident, ScriptedIncident
from postroad_region.world.definition.limits import GreylistPolicy, Limit, Limits, ReputationPolicy
from postroad_region.world.definition.mailboxes import Bounce, BounceShape, Complaint, MailboxRule
from postroad_region.world.definition.provider import Checks, Provider
from postroad_region.world.definition.transport import Extensions, MtaSts, MxHost, Timing, Tls
from postroad_region.world.definition.world import (
    DEFAULT_FILE,
    FeedbackLoop,
    World,
    addresses,
    check_incident,
    fault,
    load_world,
    provider_zones,
    reverse_names,
)

__all__ = [
    "DEFAULT_FILE",
    "Bounce",
    "BounceShape",
    "Checks",
    "Complaint",
    "Extensions",
    "FeedbackLoop",
    "GreylistPolicy",
    "Incident",
    "Limit",
    "Limits",
    "MailboxRule",
    "MtaSts",
    "MxHost",
    "Provider",
    "ReputationPolicy",
    "ScriptedIncident",
    "Timing",
    "Tls",
    "World",
    "addresses",
    "check_incident",
    "fault",
    "load_world",
    "provider_zones",
    "reverse_names",
]
