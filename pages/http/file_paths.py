"""The addresses of the files that visitors save, relative to the site."""

from urllib.parse import quote


def own_messages_path(slug: str, *, format: str) -> str:
    """Return the address of a visitor's own messages in a room."""
    return f"r/{quote(slug)}/export?format={format}"


def transcript_path(slug: str, id: str) -> str:
    """Return the address of a transcript, without the format at its end."""
    return f"r/{quote(slug)}/transcripts/{quote(id)}?format="
