"""Hosts answer for their credentials: IMDSv2 only, and not through a relay on the host."""

from __future__ import annotations

from collections.abc import Iterator

from postroad_infra.policies.resource import UNKNOWN, Resource, block

TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
INSTANCE = "aws:ec2/instance:Instance"


def metadata_service(resource: Resource) -> Iterator[str]:
    """Whatever launches hosts demands a token for the metadata service, and lets its answer go one hop.

    A proxy that relays for others must never be a way to a host's credentials: without a token a request forged
    through it would do, and with more hops the answer would travel on.
    """
    if resource.type not in (TEMPLATE, INSTANCE):
        return
    options = resource.props.get("metadataOptions")
    if options is UNKNOWN or (resource.type == INSTANCE and options is None and "launchTemplate" in resource.props):
        return
    options = block(options)
    if options.get("httpEndpoint") == "disabled":
        return
    if options.get("httpTokens") not in ("required", UNKNOWN):
        yield 'the metadata service answers without a token; set metadata_options http_tokens="required"'
    if options.get("httpPutResponseHopLimit") not in (1, UNKNOWN):
        yield "the metadata service's answers leave the host; set metadata_options http_put_response_hop_limit=1"
