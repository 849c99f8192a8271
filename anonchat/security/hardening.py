"""Process hardening: keeps text and keys in memory from being written to disk."""

import logging
import resource
from pathlib import Path

_log = logging.getLogger("anonchat")


def harden_process(*, swaps: Path = Path("/proc/swaps")) -> None:
    """Disable core dumps, raise the file descriptor limit to its maximum, warn if swap is on."""
    forbid_core_dumps()
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    if _is_swap_on(swaps):
        _log.warning(
            "swap is on: message texts and keys in memory may be written to disk; disable or "
            "encrypt swap (docs/operations.md)"
        )


def forbid_core_dumps() -> None:
    """Disable core dumps, so that a crash writes no memory to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_swap_on(swaps: Path) -> bool:
    """Return whether `swaps` lists a swap area below its header; `False` if it is unreadable."""
    try:
        return len(swaps.read_text().splitlines()) > 1
    except OSError:
        return False
