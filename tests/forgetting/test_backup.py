"""What a backup of the database brings back beside the present keys, and what it does not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, NotFound, Post, Room, StartupError, Visitor
from anonchat.security.key_names import SPAN
from anonchat.storage.backup import back_up
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    post_messages,
    read,
    running_chat,
    sign_in,
)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


async def _back_up(chat: Chat, backup: Path) -> None:
    database = chat.settings.database_file
    assert database
    await asyncio.to_thread(back_up, database, backup)


def _restore(chat: Chat, backup: Path) -> None:
    database = chat.settings.database_file
    assert database
    for path in database.parent.glob("anonchat.db*"):
        path.unlink()
    database.write_bytes(backup.read_bytes())


async def _populate(chat: Chat, clock: FakeClock) -> tuple[Room, Visitor]:
    """Post two messages in one span, and one in the next."""
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one", "two")
    clock.advance(SPAN)
    await post_messages(chat, room, ann, "three")
    return room, ann


async def test_backup_of_a_running_chat_brings_back_everything_in_it(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, ann = await _populate(chat, clock)
    await _back_up(chat, backup)
    await post_messages(chat, room, ann, "four")
    later = await sign_in(chat, "Bob")
    day_train = await chat.rooms.open("day train", visitor_id=later.id)
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        assert await read(again, room, ann) == ["one", "two", "three"]
        with pytest.raises(NotFound):
            await again.rooms.find(day_train.slug)
        with pytest.raises(NotFound):
            await again.identity.find("Bob")
        await post_messages(again, room, ann, "five")
        assert await read(again, room, ann) == ["one", "two", "three", "five"]


async def test_deletion_after_the_backup_also_loses_the_messages_of_its_span(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    day_train, (bob,) = await create_room_with_members(chat, "day train", "Bob")
    first = await chat.messages.post(room.id, visitor_id=ann.id, text="one")
    await post_messages(chat, room, ann, "two")
    await post_messages(chat, day_train, bob, "elsewhere")
    clock.advance(SPAN)
    await post_messages(chat, room, ann, "three")
    await _back_up(chat, backup)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=first.id)
    assert await read(chat, room, ann) == ["two", "three"]
    assert await read(chat, day_train, bob) == ["elsewhere"]
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        assert await read(again, room, ann) == ["three"]
        assert await read(again, day_train, bob) == []
        clock.advance(-SPAN)  # the next message has the span of the deleted one
        await post_messages(again, room, ann, "four")
        assert await read(again, room, ann) == ["three", "four"]


async def test_forgotten_and_burnt_data_is_not_brought_back(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, ann = await _populate(chat, clock)
    bob = await sign_in(chat, "Bob")
    burnt = await chat.rooms.open("day train", visitor_id=bob.id)
    await _back_up(chat, backup)
    await chat.identity.forget(ann.id)
    await chat.room_deletion.burn(burnt.id, visitor_id=bob.id)
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        with pytest.raises(NotFound):
            await again.identity.find("Ann")
        with pytest.raises(NotFound):
            await again.rooms.find(burnt.slug)
        await again.memberships.join(room.id, visitor_id=bob.id)
        assert await read(again, room, bob) == []


async def test_room_changed_after_the_backup_is_not_brought_back(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, ann = await _populate(chat, clock)
    other = await chat.rooms.create("day train", visitor_id=ann.id)
    await _back_up(chat, backup)
    await chat.room_editor.update(room.id, visitor_id=ann.id, topic="home")
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        with pytest.raises(NotFound):
            await again.rooms.find(room.slug)
        assert await again.rooms.find(other.slug) == other
        assert (await again.rooms.open(room.name, visitor_id=ann.id)).slug == room.slug


async def test_sign_out_and_leave_after_the_backup_are_undone(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    _, token = await chat.identity.sign_in("Cid")
    await _back_up(chat, backup)
    await chat.identity.sign_out(token)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        assert await again.identity.authenticate(token)
        assert await again.memberships.is_member(room.id, ann.id)


async def test_room_whose_end_in_the_backup_has_passed_is_not_brought_back(
    chat: Chat, clock: FakeClock, backup: Path
) -> None:
    room, ann = await _populate(chat, clock)
    bob = await sign_in(chat, "Bob")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await _back_up(chat, backup)
    clock.advance(room.room_ttl - timedelta(hours=1))
    await post_messages(chat, room, ann, "four")
    clock.advance(timedelta(hours=2))
    assert await chat.rooms.find(room.slug)
    await chat.stop()
    _restore(chat, backup)
    async with running_chat(chat.settings.data_dir, clock) as again:
        with pytest.raises(NotFound):
            await again.rooms.find(room.slug)


async def test_backup_holds_no_key_and_no_text(chat: Chat, clock: FakeClock, backup: Path) -> None:
    room, ann = await _populate(chat, clock)
    await post_messages(chat, room, ann, "a canary in the coal mine")
    await chat.messages.post(
        room.id, visitor_id=ann.id, post=Post(kind="note", data={"a canary": ["in the data"]})
    )
    await _back_up(chat, backup)
    keys = [key for name in chat._keys.names() if (key := chat._keys.get(name))]
    assert keys
    _assert_contains_none_of(backup, b"canary", *keys)


def _assert_contains_none_of(backup: Path, *secrets: bytes) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in backup.parent.iterdir()} == {"data", "backup.db"}
    content = backup.read_bytes()
    assert len(content) > 10_000
    assert [secret for secret in secrets if secret in content] == []


def test_backup_overwrites_no_file(tmp_path: Path, backup: Path) -> None:
    backup.write_text("something else")
    with pytest.raises(StartupError, match="exists already"):
        back_up(tmp_path / "anonchat.db", backup)
    assert backup.read_text() == "something else"


def test_failed_backup_leaves_no_file(tmp_path: Path, backup: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"?" * 9_999)
    for database in ("broken.db", "missing.db"):
        with pytest.raises(StartupError, match="the backup failed"):
            back_up(tmp_path / database, backup)
    with pytest.raises(StartupError, match=r"the backup failed: No such file or directory$"):
        back_up(tmp_path / "broken.db", tmp_path / "missing" / "backup")
    assert {path.name for path in tmp_path.iterdir()} == {"broken.db"}
