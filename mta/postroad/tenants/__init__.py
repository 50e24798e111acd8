"""Tenants: who may send as whom."""
