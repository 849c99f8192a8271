"""A whole number without a bound that anybody reaches."""

from sqlalchemy import BigInteger, Integer

Count = BigInteger().with_variant(Integer(), "sqlite")
"""The type of a column that counts; an integer of SQLite is as large by itself."""
