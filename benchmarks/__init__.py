"""Benchmarks of anonchat and its peers; `make bench` runs them and writes docs/benchmarks.md."""
