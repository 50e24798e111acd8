"""The outbound proxy: handshake, access rules, relay."""
