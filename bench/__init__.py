"""Benchmarks. Each is a module of its own: `.venv/bin/python -m bench.tables --help`."""
