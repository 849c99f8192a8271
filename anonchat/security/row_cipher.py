"""Encrypts and decrypts the texts of rooms and visitors, and states of rooms, in their rows."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import chain

from pydantic import TypeAdapter

from models import MemberRow, RoomRow, RoomStateRow, VisitorRow

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..entities import Member, Preferences, Room, RoomRules, Visitor
from ..errors import Unavailable
from .key_names import room_key_name, room_key_names, visitor_key_name
from .keystore import KeyStore

_NO_RULES = RoomRules()
_RULES = TypeAdapter(RoomRules)
_DEFAULTS = Preferences()


class RowCipher:
    """Encrypts entities and decrypts rows; a row whose key was destroyed decrypts to `None`."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def encrypt_visitor(
        self,
        visitor_id: str,
        *,
        nickname: str,
        badge: str,
        preferences: Preferences = _DEFAULTS,
    ) -> bytes:
        """Encrypt the texts and preferences of a visitor; create the visitor's key."""
        (key,) = await self._keys.get_or_create(visitor_key_name(visitor_id))
        more = [] if preferences == _DEFAULTS else [json.dumps(asdict(preferences))]
        return encrypt_texts(key, nickname, badge, *more, associated_data=visitor_id)

    def decrypt_visitor(self, row: VisitorRow) -> Visitor | None:
        """Decrypt a visitor."""
        texts = self._decrypt(row.sealed, visitor_key_name(row.id), associated_data=row.id)
        if texts is None:
            return None
        nickname, badge, *more = texts
        preferences = Preferences(**json.loads(more[0])) if more else _DEFAULTS
        return Visitor(row.id, nickname, badge, row.expires_at, row.has_posted, preferences)

    async def fetch_visitor(self, row: VisitorRow) -> Visitor | None:
        """Decrypt a visitor, with a key requested from the other nodes if it is missing.

        Raises `Unavailable` while only another node may have the key.
        """
        await self.fetch_visitor_keys([row.id])
        if self.may_visitor_key_exist_on_peers(row.id):
            raise Unavailable
        return self.decrypt_visitor(row)

    async def fetch_room(self, row: RoomRow) -> Room | None:
        """Decrypt a room as `fetch_visitor` does a visitor."""
        await self.fetch_room_keys([row])
        if self.may_room_keys_exist_on_peers(row):
            raise Unavailable
        return self.decrypt_room(row)

    def has_visitor_key(self, visitor_id: str) -> bool:
        """Return whether the key of a visitor, who was decrypted before, still exists."""
        return self._keys.get(visitor_key_name(visitor_id)) is not None

    def may_visitor_key_exist_on_peers(self, visitor_id: str) -> bool:
        """Return whether only another node may have the key of a visitor."""
        return self._may_be_elsewhere(visitor_key_name(visitor_id))

    def may_room_keys_exist_on_peers(self, row: RoomRow) -> bool:
        """Return whether only another node may have a key of a room."""
        return any(map(self._may_be_elsewhere, _key_names(row)))

    async def fetch_visitor_keys(self, visitor_ids: Iterable[str]) -> None:
        """Request missing keys of these visitors from the other nodes."""
        await self._fetch_keys(map(visitor_key_name, visitor_ids))

    async def fetch_room_keys(self, rows: Iterable[RoomRow]) -> None:
        """Request missing keys of these rooms from the other nodes."""
        await self._fetch_keys(chain.from_iterable(map(_key_names, rows)))

    def decrypt_member(self, row: MemberRow, visitor: VisitorRow) -> Member | None:
        """Decrypt a member of a room."""
        texts = self._decrypt(
            visitor.sealed, visitor_key_name(visitor.id), associated_data=visitor.id
        )
        if texts is None:
            return None
        nickname, badge, *_ = texts
        return Member(row.room_id, visitor.id, row.author, nickname, badge, row.read_seq)

    def encrypt_room(
        self, room_id: str, texts_key_id: str, *, name: str, topic: str, slug: str
    ) -> bytes:
        """Encrypt name, topic and slug of a room; raise `DecryptionError` if a key is missing."""
        key = self._require_texts_key(room_id, texts_key_id)
        return encrypt_texts(key, name, topic, slug, associated_data=room_id)

    def encrypt_rules(
        self, room_id: str, texts_key_id: str, rules: RoomRules, password_key: bytes
    ) -> bytes:
        """Encrypt the rules of a room and the key of its password, with the key of its texts."""
        if rules == _NO_RULES:
            return b""
        key = self._require_texts_key(room_id, texts_key_id)
        texts = _dump_rules(rules), password_key.hex()
        return encrypt_texts(key, *texts, associated_data=_rules_data(room_id))

    def decrypt_password_key(self, row: RoomRow) -> bytes | None:
        """Return the key of the password of a room, which is empty without one."""
        texts = self._decrypt_rules(row)
        return bytes.fromhex(texts[1]) if texts else None

    def decrypt_room(self, row: RoomRow) -> Room | None:
        """Decrypt a room."""
        key = self._derive_texts_key(row.id, row.texts_key_id)
        texts = _decrypt_with(key, row.sealed, associated_data=row.id)
        rules = self._decrypt_rules(row)
        if texts is None or rules is None:
            return None
        name, topic, slug = texts
        return Room(
            id=row.id,
            slug=slug,
            name=name,
            topic=topic,
            listed=row.listed,
            owner=row.owner,
            message_ttl=timedelta(seconds=row.message_ttl),
            room_ttl=timedelta(seconds=row.room_ttl),
            created_at=row.created_at,
            active_at=row.active_at,
            expires_at=row.expires_at,
            last_seq=row.last_seq,
            was_entered=row.was_entered,
            revision=row.revision,
            rules=_load_rules(rules[0]),
        )

    def _decrypt_rules(self, row: RoomRow) -> list[str] | None:
        """Decrypt the rules of a room and the key of its password."""
        if not row.rules:
            return ["", ""]
        key = self._derive_texts_key(row.id, row.texts_key_id)
        return _decrypt_with(key, row.rules, associated_data=_rules_data(row.id))

    async def fetch_state_key(self, room_id: str) -> None:
        """Request the key of the states of a room, if it is missing, from the other nodes.

        Raises `Unavailable` while only another node may have it.
        """
        await self._fetch_keys([room_key_name(room_id)])
        if self._may_be_elsewhere(room_key_name(room_id)):
            raise Unavailable

    def encrypt_state(self, room_id: str, plugin: str, state: str) -> bytes | None:
        """Encrypt the state of a plugin in a room; `None` if the room's key was destroyed."""
        key = self._derive_state_key(room_id)
        return key and encrypt_texts(key, state, associated_data=_state_data(room_id, plugin))

    def decrypt_state(self, row: RoomStateRow) -> str | None:
        """Decrypt the state of a plugin in a room."""
        key = self._derive_state_key(row.room_id)
        associated_data = _state_data(row.room_id, row.plugin)
        texts = _decrypt_with(key, row.sealed, associated_data=associated_data)
        return texts[0] if texts else None

    async def fetch_sent_room_key(self, room_id: str) -> None:
        """Request the key of a room of an event, if it is missing, from the other nodes."""
        await self._fetch_keys([room_key_name(room_id)])

    def encrypt_sent_room(self, room: Room) -> Room | None:
        """Encrypt texts and rules with the room's key, into `name`; `None` if it was destroyed.

        The key of the texts may be destroyed before the event is sent; the bus encrypts them too.
        """
        if (key := self._keys.get(room_key_name(room.id))) is None:
            return None
        texts = room.name, room.topic, room.slug, _dump_rules(room.rules)
        sealed = encrypt_texts(key, *texts, associated_data=room.id)
        return replace(room, name=b64encode(sealed).decode(), topic="", slug="", rules=_NO_RULES)

    def decrypt_sent_room(self, room: Room) -> Room | None:
        """Undo `encrypt_sent_room`; return `None` if the key of the room is unknown."""
        sealed, key_name = b64decode(room.name), room_key_name(room.id)
        texts = self._decrypt(sealed, key_name, associated_data=room.id)
        if texts is None:
            return None
        name, topic, slug, rules = texts
        return replace(room, name=name, topic=topic, slug=slug, rules=_load_rules(rules))

    def encrypt_sent_member(self, member: Member) -> Member | None:
        """Encrypt the texts as in the visitor's row, into `nickname`; `None` without the key."""
        id = member.visitor_id
        if (key := self._keys.get(visitor_key_name(id))) is None:
            return None
        sealed = encrypt_texts(key, member.nickname, member.badge, associated_data=id)
        return replace(member, nickname=b64encode(sealed).decode(), badge="")

    def decrypt_sent_member(self, member: Member) -> Member | None:
        """Undo `encrypt_sent_member`; return `None` if the key of the visitor is unknown."""
        id = member.visitor_id
        texts = self._decrypt(b64decode(member.nickname), visitor_key_name(id), associated_data=id)
        if texts is None:
            return None
        nickname, badge = texts
        return replace(member, nickname=nickname, badge=badge)

    def encrypt_told_text(self, room_id: str, visitor_id: str, text: str) -> str | None:
        """Encrypt a text for one member of a room; `None` without the key of the visitor."""
        if (key := self._keys.get(visitor_key_name(visitor_id))) is None:
            return None
        sealed = encrypt_texts(key, text, associated_data=f"{room_id} {visitor_id}")
        return b64encode(sealed).decode()

    def decrypt_told_text(self, room_id: str, visitor_id: str, sealed: str) -> str | None:
        """Undo `encrypt_told_text`; return `None` if the key of the visitor is unknown."""
        key_name, associated_data = visitor_key_name(visitor_id), f"{room_id} {visitor_id}"
        texts = self._decrypt(b64decode(sealed), key_name, associated_data=associated_data)
        return texts[0] if texts else None

    def has_room_key(self, room_id: str) -> bool:
        """Return whether the key of a room exists."""
        return self._keys.get(room_key_name(room_id)) is not None

    def _may_be_elsewhere(self, name: str) -> bool:
        return self._keys.get(name) is None and self._keys.may_exist_on_peers(name)

    async def _fetch_keys(self, names: Iterable[str]) -> None:
        missing = {name for name in names if self._keys.get(name) is None}
        if missing:
            await self._keys.fetch(missing)
            self._keys.record_missing(missing)

    def _derive_texts_key(self, room_id: str, texts_key_id: str) -> bytes | None:
        """Derive the key of the texts of a room, if its keys exist."""
        names = room_key_names(room_id, texts_key_id)
        keys = [key for name in names if (key := self._keys.get(name))]
        if len(keys) < len(names):
            return None
        return derive_key(*keys, purpose="room texts") if texts_key_id else keys[0]

    def _require_texts_key(self, room_id: str, texts_key_id: str) -> bytes:
        if (key := self._derive_texts_key(room_id, texts_key_id)) is None:
            raise DecryptionError(room_id)
        return key

    def _derive_state_key(self, room_id: str) -> bytes | None:
        key = self._keys.get(room_key_name(room_id))
        return derive_key(key, purpose="room state") if key else None

    def _decrypt(self, ciphertext: bytes, name: str, *, associated_data: str) -> list[str] | None:
        return _decrypt_with(self._keys.get(name), ciphertext, associated_data=associated_data)


def _key_names(row: RoomRow) -> list[str]:
    return room_key_names(row.id, row.texts_key_id)


def _dump_rules(rules: RoomRules) -> str:
    return "" if rules == _NO_RULES else _RULES.dump_json(rules).decode()


def _load_rules(text: str) -> RoomRules:
    return _RULES.validate_json(text) if text else _NO_RULES


def _rules_data(room_id: str) -> str:
    return f"{room_id} rules"


def _state_data(room_id: str, plugin: str) -> str:
    return f"{room_id} {plugin}"


def _decrypt_with(
    key: bytes | None, ciphertext: bytes, *, associated_data: str
) -> list[str] | None:
    try:
        return decrypt_texts(key, ciphertext, associated_data=associated_data) if key else None
    except DecryptionError:  # the key was destroyed, and a new key has its name now
        return None
