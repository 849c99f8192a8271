"""The files of the pages that do not change while the server runs."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
"""Their folder."""


def asset_url(name: str) -> str:
    """Return the URL of an asset, relative to the site; it changes with the file."""
    return f"assets/{name}?v={(ASSETS / name).stat().st_mtime_ns}"
