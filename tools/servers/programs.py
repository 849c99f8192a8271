"""Finds installed programs."""

import os
import shutil


def find_program(name: str) -> str:
    """Return the path of a program; raise `RuntimeError` if it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed (tools/packages.sh installs what is missing)")
    return found
