"""Benchmarks of a cluster; `make bench-cluster` runs them."""
