"""Benchmarks: they measure, they never judge."""
