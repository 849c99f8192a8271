"""Validation and normalization of posts; pure functions."""

import json
import re
from dataclasses import replace
from datetime import timedelta

from pydantic import JsonValue
from pydantic_core import from_json

from ..entities import Post
from ..errors import N_, InvalidMessage, InvalidNickname
from .lookalikes import check_new_nickname
from .normalization import normalize_message, normalize_nickname, shorten_message

DATA_BYTES = 16_384
_KIND_CHARACTERS = 32
_KIND = re.compile(rf"[a-z][a-z0-9-]{{0,{_KIND_CHARACTERS - 1}}}")
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def normalize_post(post: Post) -> Post:
    """Return the normalized post; its data is a copy. Raise `InvalidMessage` if it cannot be one.

    A post with a kind and without a text gets one, for readers that do not know the kind.
    """
    nickname = post.nickname and _normalize_nickname(post.nickname)
    if (post.reply_to and not is_id(post.reply_to)) or not isinstance(post.ttl, timedelta | None):
        raise InvalidMessage(N_("That cannot be an answer to a message, or its lifetime."))
    post = replace(post, nickname=nickname)
    if post.kind and post.once:
        raise InvalidMessage(N_("Only a text can be opened once."))
    if not post.kind:
        if post.data is not None:
            raise InvalidMessage(N_("Only a message with a kind can have data."))
        return replace(post, text=normalize_message(post.text))
    if not isinstance(post.kind, str) or not _KIND.fullmatch(post.kind):
        raise InvalidMessage(
            N_("A kind of message is a word of a-z, 0-9 and hyphens, {most} characters at most."),
            most=_KIND_CHARACTERS,
        )
    content = _to_json(post.data)
    text = (
        normalize_message(post.text)
        if post.text
        else shorten_message(f"{post.kind}: {content.decode()}")
    )
    return replace(post, text=text, data=_copy(content))


def is_id(text: str) -> bool:
    """Return whether a text may be an id: the database rejects some strings."""
    return isinstance(text, str) and bool(_ID.fullmatch(text))


def check_dedup_id(dedup_id: str) -> str:
    """Return the id, which may be empty. Raise `InvalidMessage` if it is not one."""
    if not isinstance(dedup_id, str) or not re.fullmatch(r"[!-~]{0,64}", dedup_id):
        raise InvalidMessage(N_("That is not a text."))
    return dedup_id


def _to_json(data: JsonValue) -> bytes:
    """Return the data as compact JSON; raise `InvalidMessage` if it is too long, or no JSON."""
    try:
        content = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        encoded = content.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_json() from error
    if len(encoded) > DATA_BYTES:
        raise InvalidMessage(
            N_("The data of a message has {length} bytes; {most} at most."),
            length=len(encoded),
            most=DATA_BYTES,
        )
    return encoded


def _copy(content: bytes) -> JsonValue:
    """Parse JSON that every reader can parse: the API's parser limits the depth to about 200."""
    try:
        data: JsonValue = from_json(content)
    except ValueError as error:
        raise _not_json() from error
    return data


def _not_json() -> InvalidMessage:
    return InvalidMessage(N_("The data of a message has to be JSON."))


def _normalize_nickname(text: str) -> str:
    try:
        nickname = normalize_nickname(text)
        check_new_nickname(nickname)
    except InvalidNickname as error:
        raise InvalidMessage(error.sentence, **error.details) from error
    return nickname
