"""Messages as they are saved in a file: as a line of text, or as JSON; pure functions."""

import json
from datetime import datetime

from ..entities import Message

_INDENT = "\n    "


def message_as_text(message: Message) -> str:
    """Return a message as text: time, nickname, and text, whose further lines are indented."""
    text = message.text.replace("\n", _INDENT)
    badge = f" ✓ {message.badge}" if message.badge else ""
    return f"{message.posted_at:%Y-%m-%d %H:%M:%S} UTC  {message.nickname}{badge}: {text}\n"


def message_as_json(message: Message) -> str:
    """Return a message as JSON."""
    content = {
        "id": message.id,
        "seq": message.seq,
        "author": message.author,
        "nickname": message.nickname,
        "badge": message.badge,
        "posted_at": format_time(message.posted_at),
        "expires_at": format_time(message.expires_at),
        "text": message.text,
        "kind": message.kind,
        "data": message.data,
        "reply_to": message.reply_to,
        "edited": message.edited,
        "reactions": [{"emoji": each.emoji, "count": each.count} for each in message.reactions],
    }
    return json.dumps(content, ensure_ascii=False)


def format_time(moment: datetime) -> str:
    """Return a time as RFC 3339 has it."""
    return moment.isoformat().replace("+00:00", "Z")
