"""The column type of counters: a 64-bit integer."""

from sqlalchemy import BigInteger, Integer

Count = BigInteger().with_variant(Integer(), "sqlite")
"""BIGINT; on SQLite INTEGER, which has 64 bits as well."""
