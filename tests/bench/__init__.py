"""Benchmarks: one command each, `bin/python -m tests.bench.<name>`. Each starts a clinic of its own and ends with one JSON object."""
