"""Where Chromium lies, and how it is started so that it does nothing of its own accord."""

import shutil

QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# Without a window around each page, which nobody sees, stories take two thirds of the time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return its path; `None` lets Playwright look for one of its own."""
    return next(filter(None, map(shutil.which, _NAMES)), None)
