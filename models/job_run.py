"""Runs of the jobs of plugins."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class JobRunRow(SQLModel, table=True):
    """The latest time for which a node has run a job, or begun to."""

    __tablename__ = "job_run"

    name: str = Field(primary_key=True)
    ran_at: datetime
