"""Handshakes in front of a stream: SOCKS5 as KumoMTA speaks it, and the PROXY protocol."""
