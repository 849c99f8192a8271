"""Database access: connections, transactions, batched writes and caches."""
