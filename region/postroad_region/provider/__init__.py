"""The stand-in `aws` provider: Pulumi's ResourceProvider protocol over boto3, for machines without the real plugin.

It is a table: `registry` maps each type token to a `Resource` (properties, what replaces, API calls); everything else
in the package is the machinery that turns the engine's requests into those calls.
"""
