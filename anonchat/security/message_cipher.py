"""Encrypts and decrypts the texts of messages.

A message is readable only while three keys exist: those of its expiry span, of its room and of its
author. Destroying any one of them makes it unreadable.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from models import MessageRow

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..entities import Message, Reaction
from ..runtime.bounded_dict import BoundedDict
from ..runtime.cooperative import iterate_cooperatively
from .key_names import key_generation, room_key_name, span_at, span_key_name, visitor_key_name
from .keystore import KeyStore

_SPANS_CACHED = 10_000
_EXTRAS = ("reply_to", "mentions", "edited", "once")
_SENT_EXTRAS = (*_EXTRAS, "reactions", "readers", "openers")
_EMPTY: dict[str, Any] = {
    **dict.fromkeys(("nickname", "badge", "text", "dedup_id", "kind", "reply_to"), ""),
    "data": None,
    **dict.fromkeys(("mentions", "reactions", "readers", "openers"), ()),
    **dict.fromkeys(("edited", "once"), False),
}
"""The encrypted fields of a message, without content."""


class _SentMessage(NamedTuple):
    """A message received from another node."""

    id: str
    room_id: str
    visitor_id: str
    expires_at: datetime
    sealed: bytes


_Encrypted = MessageRow | _SentMessage


class _Decrypted(NamedTuple):
    """The texts of a message (see `_texts`), and the generation of the key that decrypts them."""

    generation: int
    texts: list[str]


class MessageCipher:
    """Encrypts messages and decrypts rows; a row whose keys are unknown decrypts to `None`.

    The text of a message that can be opened once is decrypted by `decrypt_text` only.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        # Adjacent messages mostly share their key.
        self._last_key_of_span: BoundedDict[int, str] = BoundedDict(_SPANS_CACHED)

    async def create_span_keys(self, generations: Mapping[int, int]) -> None:
        """Create this node's keys of these spans and generations, durably, in one batch."""
        await self._keys.get_or_create(
            *(self._keys.own_span_key(*each) for each in generations.items())
        )

    def encrypt_message(self, message: Message, visitor_id: str, *, generation: int = 0) -> bytes:
        """Encrypt a message of a visitor; raise `DecryptionError` if one of its keys is missing."""
        key = self._own_key(message, visitor_id, generation)
        if key is None:
            raise DecryptionError(message.id)
        return encrypt_texts(key, *_texts(message), associated_data=_associated_data(message))

    def encrypt_sent_message(self, message: Message, visitor_id: str) -> Message | None:
        """Encrypt the texts as in the message's row, into `text`; `None` if a key was destroyed."""
        for name in self._keys.span_key_names(span_at(message.expires_at)):
            if key := self._derive(name, message.room_id, visitor_id):
                texts = _texts(message, extras=_SENT_EXTRAS)
                sealed = encrypt_texts(key, *texts, associated_data=_associated_data(message))
                return replace(message, **_EMPTY | {"text": b64encode(sealed).decode()})
        return None

    async def decrypt_sent_message(self, message: Message, visitor_id: str) -> Message | None:
        """Undo `encrypt_sent_message`; return `None` if the keys of the message are unknown.

        Missing keys are requested from the other nodes. Keys that those lack are recorded as
        missing (see `KeyStore.record_missing`).
        """
        sealed = b64decode(message.text)
        sent = _SentMessage(message.id, message.room_id, visitor_id, message.expires_at, sealed)
        (decrypted,) = await self._decrypt_all([sent])
        if decrypted is None:
            return None
        return replace(message, **_read_texts(decrypted.texts))

    async def decrypt_messages(self, rows: Sequence[MessageRow]) -> list[Message | None]:
        """Decrypt messages; request missing keys from the other nodes once."""
        decrypted = await self._decrypt_all(rows)
        return [
            each and _make_message(row, each.texts)
            for row, each in zip(rows, decrypted, strict=True)
        ]

    def decrypt_text(self, row: MessageRow) -> str | None:
        """Decrypt the text of a message that was decrypted before."""
        decrypted = self._decrypt(row)
        return decrypted and _read_texts(decrypted.texts)["text"]

    async def reencrypt_messages(self, rows: Sequence[MessageRow], generation: int) -> bool:
        """Re-encrypt messages with a key of this generation, unless their keys are as recent.

        Return `False` if only another node can decrypt some of them.
        """
        is_complete = True
        for row, decrypted in zip(rows, await self._decrypt_all(rows), strict=True):
            if decrypted is None:
                is_complete = is_complete and self.is_undecryptable(row)
            elif decrypted.generation < generation and (
                key := self._own_key(row, row.visitor_id, generation)
            ):
                row.sealed = encrypt_texts(
                    key, *decrypted.texts, associated_data=_associated_data(row)
                )
        return is_complete

    def is_undecryptable(self, row: _Encrypted) -> bool:
        """Return whether no node can decrypt a message that this node cannot decrypt."""
        return not self._keys.may_exist_on_peers(*_key_names(row))

    def can_decrypt_message(self, message: Message, visitor_id: str) -> bool:
        """Return whether all three keys of a message, which was decrypted before, still exist."""
        return (
            bool(self._keys.span_key_names(span_at(message.expires_at)))
            and self._keys.get(room_key_name(message.room_id)) is not None
            and self._keys.get(visitor_key_name(visitor_id)) is not None
        )

    async def _decrypt_all(self, rows: Sequence[_Encrypted]) -> list[_Decrypted | None]:
        decrypted = [self._decrypt(row) async for row in iterate_cooperatively(rows)]
        unreadable = [row for row, each in zip(rows, decrypted, strict=True) if each is None]
        if unreadable:
            await self._keys.fetch({name for row in unreadable for name in _key_names(row)})
            # Even if `fetch` found none: an event may have brought them meanwhile.
            decrypted = [self._decrypt(row) async for row in iterate_cooperatively(rows)]
        for row, each in zip(rows, decrypted, strict=True):
            if each is None and not self.is_undecryptable(row):
                span, *others = _key_names(row)
                self._keys.record_missing(
                    [name for name in others if not self._keys.get(name)] or [span]
                )
        return decrypted

    def _decrypt(self, row: _Encrypted) -> _Decrypted | None:
        span = span_at(row.expires_at)
        names = self._keys.span_key_names(span)
        last = self._last_key_of_span.get(span)
        if last in names:
            names.remove(last)
            names.insert(0, last)
        for name in names:
            if key := self._derive(name, row.room_id, row.visitor_id):
                try:
                    texts = decrypt_texts(key, row.sealed, associated_data=_associated_data(row))
                except DecryptionError:
                    continue
                self._last_key_of_span[span] = name
                return _Decrypted(key_generation(name), texts)
        return None

    def _own_key(
        self, message: Message | MessageRow, visitor_id: str, generation: int
    ) -> bytes | None:
        own = self._keys.own_span_key(span_at(message.expires_at), generation)
        return self._derive(own, message.room_id, visitor_id)

    def _derive(self, span: str, room_id: str, visitor_id: str) -> bytes | None:
        """Derive the key of a message from those of span, room and visitor, if all exist."""
        names = (span, room_key_name(room_id), visitor_key_name(visitor_id))
        keys = [key for name in names if (key := self._keys.get(name))]
        return derive_key(*keys, purpose="message") if len(keys) == len(names) else None


def _texts(message: Message, *, extras: Sequence[str] = _EXTRAS) -> tuple[str, ...]:
    """Return what is encrypted: four texts, then kind, data and extras as far as there are any.

    Data is JSON, and so are the extras: those of these fields that are not empty.
    """
    texts = message.nickname, message.badge, message.text, message.dedup_id
    others = {name: value for name in extras if (value := getattr(message, name))}
    if "reactions" in others:
        others["reactions"] = [(each.emoji, each.authors) for each in message.reactions]
    if others:
        return *texts, message.kind, _dump(message.data), _dump(others)
    return (*texts, message.kind, _dump(message.data)) if message.kind else texts


def _read_texts(texts: list[str]) -> dict[str, Any]:
    """Return the fields of a message that were encrypted."""
    nickname, badge, text, dedup_id, *others = texts
    kind, data, extras = [*others, *("", "null", "{}")[len(others) :]]
    fields = _EMPTY | {"nickname": nickname, "badge": badge, "text": text, "dedup_id": dedup_id}
    fields |= {"kind": kind, "data": json.loads(data)}
    for name, value in json.loads(extras).items():
        if name == "reactions":
            fields[name] = tuple(Reaction(emoji, tuple(authors)) for emoji, authors in value)
        elif name in _SENT_EXTRAS:  # a later version may add others
            fields[name] = tuple(value) if isinstance(value, list) else value
    return fields


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _make_message(row: MessageRow, texts: list[str]) -> Message:
    message = Message(
        id=row.id,
        room_id=row.room_id,
        seq=row.seq,
        author=row.author,
        posted_at=row.posted_at,
        expires_at=row.expires_at,
        revision=row.revision,
        **_read_texts(texts),
    )
    return replace(message, text="") if message.once else message


def _key_names(row: _Encrypted) -> tuple[str, str, str]:
    return (
        span_key_name(span_at(row.expires_at)),
        room_key_name(row.room_id),
        visitor_key_name(row.visitor_id),
    )


def _associated_data(message: Message | _Encrypted) -> str:
    return f"{message.room_id} {message.id}"
