"""The addresses of the pages without scripts, relative to the site."""

from urllib.parse import quote, unquote, urlsplit

LOBBY = "lite"
"""The address of the lobby; those of rooms begin with it."""


def room_path(slug: str) -> str:
    """Return the address of a room."""
    return f"{LOBBY}/{quote(slug)}"


def plain_path(target: str) -> str:
    """Return the path of the page without scripts that shows what the page at a path does.

    >>> plain_path("/"), plain_path("/r/night-train?message=m"), plain_path("/privacy")
    ('/lite', '/lite/night-train', '/privacy')
    """
    path = urlsplit(target).path
    if path == "/":
        return f"/{LOBBY}"
    slug = path.removeprefix("/r/")
    return target if slug == path or "/" in slug else f"/{room_path(unquote(slug))}"
