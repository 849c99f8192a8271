"""Server processes that the local cluster, the tests and the benchmarks start."""
