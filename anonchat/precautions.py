"""What keeps memory off the disk, where text and keys are while they live."""

import logging
import resource
from pathlib import Path

_log = logging.getLogger("anonchat")


def take_precautions(*, swaps: Path = Path("/proc/swaps")) -> None:
    """Switch core dumps off, allow as many connections as one may, and warn of swap."""
    forbid_core_dumps()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if _is_swapping(swaps):
        _log.warning(
            "swap is on: text and keys that are in memory may be written to disk; switch it off or "
            "encrypt it (docs/operations.md)"
        )


def forbid_core_dumps() -> None:
    """Let a crash write nothing of what is in memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_swapping(swaps: Path) -> bool:
    """Tell whether the list of swap areas has more than its heading; unknown means no."""
    try:
        return len(swaps.read_text().splitlines()) > 1
    except OSError:
        return False
