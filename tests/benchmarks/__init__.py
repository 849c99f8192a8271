"""Measures anonchat beside its peers; `make bench` runs it, docs/benchmarks.md is what it found."""
