"""An anonymous chat whose messages expire on time.

The names of `anonchat.public` are available here. They are imported on first use, because commands
start several times faster without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .public import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        return getattr(import_module(".public", __name__), name)
