"""What many nodes cost, and how far they carry: `make bench-cluster`."""
