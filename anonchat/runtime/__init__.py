"""Process runtime: clock, scheduling, logging, metrics, files and sockets."""
