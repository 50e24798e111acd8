"""Postroad's MTA, outbound proxy and their admin command."""
