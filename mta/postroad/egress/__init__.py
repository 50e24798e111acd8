"""Connections to other mail hosts: dialling, sessions, limits per site."""
