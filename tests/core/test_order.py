"""Order in rooms: who may do what to whom, and what it does."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from anonchat import (
    Banned,
    Chat,
    LimitReached,
    MemberChanged,
    MemberLeft,
    Muted,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Room,
    RoomChanged,
    TypingSignalled,
    Visitor,
)
from anonchat.security.key_names import visitor_key_name
from models import BanRow, StandingRow
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    find_decryptable_deleted_spans,
    post_messages,
    read,
    running_chat,
    sign_in,
)

NAMES = ("Ann", "Bob", "Cid", "Dan")
MINUTES_10 = timedelta(minutes=10)


class Place:
    """A room: Ann owns it, Bob helps, Cid and Dan are ordinary members."""

    def __init__(self, chat: Chat, room: Room, visitors: list[Visitor]) -> None:
        self.chat = chat
        self.order = chat.moderation
        self.room = room
        self.id = room.id
        self.visitors = dict(zip(NAMES, visitors, strict=True))
        self.authors: dict[str, str] = {}

    async def set_up(self) -> None:
        """Learn the pseudonyms, and make Bob a helper."""
        for name, visitor in self.visitors.items():
            member = await self.chat.memberships.require(self.id, visitor_id=visitor.id)
            self.authors[name] = member.author
        await self.order.set_role(self.id, self.authors["Bob"], "helper", **self.by("Ann"))

    def by(self, name: str) -> dict[str, str]:
        """Return who acts, as an argument."""
        return {"visitor_id": self.visitors[name].id}

    async def mute(self, actor: str, target: str, duration: timedelta | None = MINUTES_10) -> None:
        """Let one member mute another."""
        await self.order.mute(self.id, self.authors[target], duration, **self.by(actor))

    async def post(self, name: str, text: str = "hello") -> None:
        """Post as a member."""
        await post_messages(self.chat, self.room, self.visitors[name], text)

    async def roles(self) -> dict[str, str]:
        """Return the role of each member by nickname, as the database has them."""
        self.chat.memberships._member_lists.clear()
        room = await self.chat.rooms.find(self.room.slug)
        members = await self.chat.memberships.list_all(self.id)
        return {
            each.nickname: "owner" if each.author == room.owner else each.role for each in members
        }


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return the room."""
    place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
    await place.set_up()
    return place


ACTS: dict[str, Callable[[Place, str, str], Awaitable[object]]] = {
    "mute": lambda place, by, on: place.mute(by, on),
    "unmute": lambda place, by, on: place.order.unmute(place.id, place.authors[on], **place.by(by)),
    "remove": lambda place, by, on: place.order.remove(place.id, place.authors[on], **place.by(by)),
    "ban": lambda place, by, on: place.order.ban(place.id, place.authors[on], **place.by(by)),
    "delete all": lambda place, by, on: place.order.delete_all_of(
        place.id, place.authors[on], **place.by(by)
    ),
}
ROLES = ("owner", "helper", "member")


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_owner_acts_on_all_and_helper_on_ordinary_members_only(
    place: Place, act: Callable[[Place, str, str], Awaitable[object]]
) -> None:
    await place.order.set_role(place.id, place.authors["Dan"], "helper", **place.by("Ann"))
    for by, on in (("Bob", "Ann"), ("Bob", "Dan"), ("Bob", "Bob"), ("Ann", "Ann"), ("Cid", "Ann"),
                   ("Cid", "Bob"), ("Cid", "Cid")):  # fmt: skip
        with pytest.raises(NotAllowed):
            await act(place, by, on)
    await act(place, "Bob", "Cid")
    await act(place, "Ann", "Dan")
    await act(place, "Ann", "Bob")


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_strangers_former_banned_and_muted_members_cannot_act(
    place: Place, act: Callable[[Place, str, str], Awaitable[object]]
) -> None:
    place.visitors["Eve"] = await sign_in(place.chat, "Eve")
    await place.mute("Ann", "Dan")
    with pytest.raises(NotAllowed):
        await act(place, "Dan", "Cid")
    with pytest.raises(NotAMember):
        await act(place, "Eve", "Cid")
    await place.chat.memberships.leave(place.id, **place.by("Bob"))
    with pytest.raises(NotAMember):
        await act(place, "Bob", "Cid")
    await place.order.ban(place.id, place.authors["Dan"], **place.by("Ann"))
    with pytest.raises(NotAMember):
        await act(place, "Dan", "Cid")


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_owner_gives_roles(place: Place, role: str) -> None:
    for by in ("Bob", "Cid"):
        with pytest.raises(NotAllowed):
            await place.order.set_role(place.id, place.authors["Dan"], role, **place.by(by))  # type: ignore[arg-type]
    assert await place.roles() == {"Ann": "owner", "Bob": "helper", "Cid": "", "Dan": ""}


async def test_roles_are_told_and_survive_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await chat.memberships.list_all(place.id)
        recorder = EventRecorder(chat)
        await place.set_up()
        (event,) = recorder.of_type(MemberChanged)
        assert (event.member.nickname, event.member.role) == ("Bob", "helper")
    async with running_chat(tmp_path, clock) as chat:
        place.chat, place.order = chat, chat.moderation
        assert await place.roles() == {"Ann": "owner", "Bob": "helper", "Cid": "", "Dan": ""}
        await place.order.set_role(place.id, place.authors["Bob"], "member", **place.by("Ann"))
        assert (await place.roles())["Bob"] == ""


async def test_owner_who_gives_the_room_away_becomes_a_helper(place: Place) -> None:
    recorder = EventRecorder(place.chat)
    await place.order.set_role(place.id, place.authors["Cid"], "owner", **place.by("Ann"))
    assert await place.roles() == {"Ann": "helper", "Bob": "helper", "Cid": "owner", "Dan": ""}
    (changed,) = recorder.of_type(RoomChanged)
    assert changed.room.owner == place.authors["Cid"]
    assert {event.member.nickname for event in recorder.of_type(MemberChanged)} == {"Ann", "Cid"}
    with pytest.raises(NotAllowed):
        await place.order.set_role(place.id, place.authors["Ann"], "owner", **place.by("Ann"))


async def test_number_of_helpers_is_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, helpers_per_room_max=1) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        with pytest.raises(LimitReached):
            await place.order.set_role(place.id, place.authors["Cid"], "helper", **place.by("Ann"))
        await place.order.set_role(place.id, place.authors["Bob"], "helper", **place.by("Ann"))


@pytest.mark.usefixtures("either_place")
async def test_room_of_an_owner_who_leaves_goes_to_a_helper_then_to_the_first_member(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        await place.order.set_role(place.id, place.authors["Bob"], "member", **place.by("Ann"))
        await place.order.set_role(place.id, place.authors["Dan"], "helper", **place.by("Ann"))
        await chat.memberships.leave(place.id, **place.by("Ann"))
        assert await place.roles() == {"Bob": "", "Cid": "", "Dan": "owner"}
        assert chat.room_directory.list_all()[0].owner == place.authors["Dan"]
        await chat.memberships.leave(place.id, **place.by("Dan"))
        assert await place.roles() == {"Bob": "owner", "Cid": ""}


async def test_room_of_an_owner_who_is_forgotten_or_expires_goes_to_another(
    place: Place, clock: FakeClock
) -> None:
    await place.chat.identity.forget(place.visitors["Ann"].id)
    assert await place.roles() == {"Bob": "owner", "Cid": "", "Dan": ""}
    clock.advance(timedelta(hours=20))
    for name in ("Cid", "Dan"):
        await place.post(name)
    clock.advance(timedelta(hours=5))  # Bob has never posted
    await place.chat.purge()
    assert await place.roles() == {"Cid": "owner", "Dan": ""}


async def test_room_of_an_owner_whose_key_was_destroyed_before_a_crash_goes_to_another(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        await chat._keys.destroy([visitor_key_name(place.visitors["Ann"].id)])
    async with running_chat(tmp_path, clock) as chat:
        place.chat = chat
        assert await place.roles() == {"Bob": "owner", "Cid": "", "Dan": ""}


async def test_muted_member_follows_an_owner_last(place: Place) -> None:
    await place.order.set_role(place.id, place.authors["Bob"], "member", **place.by("Ann"))
    await place.mute("Ann", "Bob")
    await place.chat.memberships.leave(place.id, **place.by("Ann"))
    assert (await place.roles())["Cid"] == "owner"


async def test_owner_who_is_alone_may_leave_and_come_back(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    member = await chat.memberships.join(room.id, visitor_id=ann.id)
    assert (await chat.rooms.find(room.slug)).owner == member.author


@pytest.mark.usefixtures("either_place")
async def test_muted_member_cannot_post_edit_or_react_until_the_mute_ends(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        await place.post("Cid", "before")
        recorder = EventRecorder(chat)
        await place.mute("Bob", "Cid")
        (event,) = recorder.of_type(MemberChanged)
        assert event.member.muted_until == clock() + MINUTES_10
        cid = place.by("Cid")
        for attempt in (
            lambda: chat.messages.post(place.id, text="now", **cid),
            lambda: chat.messages.edit_by_seq(place.id, seq=1, text="now", **cid),
            lambda: chat.messages.react_by_seq(place.id, seq=1, emoji="👍", on=True, **cid),
        ):
            with pytest.raises(Muted, match="for another 10m") as refused:
                await attempt()
            assert refused.value.until == clock() + MINUTES_10
        await chat.messages.delete_by_seq(place.id, seq=1, **cid)
        await place.post("Dan")
        clock.advance(MINUTES_10)
        await place.post("Cid", "after")
        assert await read(chat, place.room, place.visitors["Ann"]) == ["hello", "after"]


async def test_muted_member_is_not_shown_to_be_typing(place: Place) -> None:
    recorder = EventRecorder(place.chat)
    await place.mute("Ann", "Cid")
    for name in ("Cid", "Dan"):
        await place.chat.typing.signal(place.id, **place.by(name))
    (event,) = recorder.of_type(TypingSignalled)
    assert event.author == place.authors["Dan"]


async def test_mute_for_good_ends_by_unmuting_only(place: Place, clock: FakeClock) -> None:
    await place.mute("Ann", "Cid", None)
    clock.advance(timedelta(hours=20))
    with pytest.raises(Muted, match="any more"):
        await place.post("Cid")
    await place.order.unmute(place.id, place.authors["Cid"], **place.by("Bob"))
    await place.post("Cid")


@pytest.mark.parametrize("removed", [False, True])
async def test_muted_member_who_comes_back_is_still_muted(
    place: Place, clock: FakeClock, removed: bool
) -> None:
    await place.mute("Ann", "Cid")
    if removed:
        await place.order.remove(place.id, place.authors["Cid"], **place.by("Ann"))
    else:
        await place.chat.memberships.leave(place.id, **place.by("Cid"))
    await place.chat.purge()
    member = await place.chat.memberships.join(place.id, **place.by("Cid"))
    assert member.muted_until == clock() + MINUTES_10
    with pytest.raises(Muted):
        await place.post("Cid")


async def test_helper_who_comes_back_is_an_ordinary_member(place: Place) -> None:
    await place.chat.memberships.leave(place.id, **place.by("Bob"))
    assert (await place.chat.memberships.join(place.id, **place.by("Bob"))).role == ""


async def test_what_is_kept_of_former_members_is_purged(place: Place, clock: FakeClock) -> None:
    await place.mute("Ann", "Cid")
    await place.chat.memberships.leave(place.id, **place.by("Cid"))
    await place.order.remove(place.id, place.authors["Dan"], **place.by("Ann"))
    assert len(await list_rows(place.chat, StandingRow)) == 3
    clock.advance(MINUTES_10 + timedelta(minutes=1))
    await place.chat.purge()
    assert len(await list_rows(place.chat, StandingRow)) == 2
    clock.advance(timedelta(hours=23))
    for name in ("Ann", "Bob"):  # so that they and the room live
        await place.post(name)
    clock.advance(timedelta(hours=1))
    await place.chat.purge()
    assert [row.kept_until for row in await list_rows(place.chat, StandingRow)] == [None]


async def test_removed_member_is_told_and_may_come_back(place: Place) -> None:
    recorder = EventRecorder(place.chat)
    cid = place.visitors["Cid"]
    await place.order.remove(place.id, place.authors["Cid"], **place.by("Bob"))
    assert recorder.events == [
        MemberLeft(place.id, cid.id, place.authors["Cid"], requested=False, removed=True)
    ]
    with pytest.raises(NotAMember):
        await place.post("Cid")
    assert await place.order.was_removed(place.id, cid.id)
    assert not await place.order.is_banned(place.id, cid.id)
    with pytest.raises(NotFound):
        await place.order.remove(place.id, place.authors["Cid"], **place.by("Bob"))
    await place.chat.memberships.join(place.id, visitor_id=cid.id)
    assert not await place.order.was_removed(place.id, cid.id)


@pytest.mark.usefixtures("either_place")
async def test_banned_member_cannot_come_back_until_the_ban_is_lifted(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        cid = place.visitors["Cid"]
        await place.order.ban(place.id, place.authors["Cid"], **place.by("Bob"))
        assert await place.order.is_banned(place.id, cid.id)
        with pytest.raises(Banned):
            await chat.memberships.join(place.id, visitor_id=cid.id)
        (ban,) = await place.order.list_bans(place.id, **place.by("Bob"))
        assert (ban.author, ban.nickname) == (place.authors["Cid"], "Cid")
        other = await chat.rooms.open("day train", **place.by("Ann"))
        await chat.memberships.join(other.id, visitor_id=cid.id)  # banned in one room only
        for name in ("Dan", "Cid"):
            with pytest.raises((NotAllowed, NotAMember)):
                await place.order.list_bans(place.id, **place.by(name))
            with pytest.raises((NotAllowed, NotAMember)):
                await place.order.unban(place.id, ban.author, **place.by(name))
        await place.order.unban(place.id, ban.author, **place.by("Ann"))
        assert await place.order.list_bans(place.id, **place.by("Ann")) == []
        await chat.memberships.join(place.id, visitor_id=cid.id)


async def test_ban_holds_for_the_same_and_similar_nicknames_of_new_visitors(place: Place) -> None:
    chat = place.chat
    await place.order.ban(place.id, place.authors["Cid"], **place.by("Ann"))
    await chat.identity.forget(place.visitors["Cid"].id)
    for nickname, is_banned in (("Cid", True), ("cid", True), ("Cld", True), ("Cyd", False)):
        visitor = await sign_in(chat, nickname)
        assert await place.order.is_banned(place.id, visitor.id) == is_banned
        if is_banned:
            with pytest.raises(Banned):
                await chat.memberships.join(place.id, visitor_id=visitor.id)
        await chat.identity.forget(visitor.id)
    (ban,) = await place.order.list_bans(place.id, **place.by("Ann"))
    assert (ban.author, ban.nickname) == (place.authors["Cid"], "")


async def test_ban_holds_with_the_secret_phrase_of_the_nickname(place: Place) -> None:
    chat = place.chat
    visitor, _ = await chat.identity.sign_in("Eve", phrase="over the hills and far")
    member = await chat.memberships.join(place.id, visitor_id=visitor.id)
    await place.order.ban(place.id, member.author, **place.by("Ann"))
    await chat.identity.forget(visitor.id)
    again, _ = await chat.identity.sign_in("Eve", phrase="over the hills and far")
    assert again.badge == visitor.badge
    with pytest.raises(Banned):
        await chat.memberships.join(place.id, visitor_id=again.id)


async def test_somebody_who_has_written_and_left_can_be_banned(place: Place) -> None:
    await place.post("Cid")
    for name in ("Cid", "Dan"):
        await place.chat.memberships.leave(place.id, **place.by(name))
    await place.order.ban(place.id, place.authors["Cid"], **place.by("Bob"))
    with pytest.raises(Banned):
        await place.chat.memberships.join(place.id, **place.by("Cid"))
    with pytest.raises(NotFound):
        await place.order.ban(place.id, place.authors["Dan"], **place.by("Bob"))


async def test_number_of_bans_is_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, bans_per_room_max=1) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        await place.order.ban(place.id, place.authors["Cid"], **place.by("Ann"))
        with pytest.raises(LimitReached):
            await place.order.ban(place.id, place.authors["Dan"], **place.by("Ann"))
        assert await chat.memberships.is_member(place.id, **place.by("Dan"))


async def test_bans_and_standings_end_with_the_room(place: Place) -> None:
    await place.mute("Ann", "Dan")
    await place.order.ban(place.id, place.authors["Cid"], **place.by("Ann"))
    await place.chat.room_deletion.burn(place.id, **place.by("Ann"))
    assert await list_rows(place.chat, StandingRow) == []
    assert await list_rows(place.chat, BanRow) == []


async def test_helper_deletes_messages_of_ordinary_and_former_members(place: Place) -> None:
    for name in NAMES:
        await place.post(name, f"by {name}")
    await place.chat.memberships.leave(place.id, **place.by("Dan"))
    delete = place.chat.messages.delete_by_seq
    for by in ("Bob", "Cid"):
        with pytest.raises(NotAllowed):
            await delete(place.id, seq=1, **place.by(by))
    for seq in (3, 4):
        await delete(place.id, seq=seq, **place.by("Bob"))
    await delete(place.id, seq=2, **place.by("Ann"))
    assert await read(place.chat, place.room, place.visitors["Cid"]) == ["by Ann"]


@pytest.mark.usefixtures("either_place")
async def test_all_messages_of_one_person_are_deleted_for_good(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.storage.stored_messages._DELETED_BATCH", 2)
    async with running_chat(tmp_path, clock) as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        for number in range(5):
            await place.post("Cid", f"spam {number}")
            clock.advance(timedelta(minutes=30))  # in several spans
            await place.post("Dan", f"talk {number}")
        await chat.memberships.leave(place.id, **place.by("Cid"))
        count = await place.order.delete_all_of(place.id, place.authors["Cid"], **place.by("Bob"))
        assert count == 5
        assert await read(chat, place.room, place.visitors["Ann"]) == [
            f"talk {number}" for number in range(5)
        ]
        assert await find_decryptable_deleted_spans(chat) == []
        await chat.purge()
        assert chat.purge_stats.stats
        assert chat.purge_stats.stats.messages == 5


async def test_moderation_is_rate_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, moderation_per_visitor="3/1m") as chat:
        place = Place(chat, *await create_room_with_members(chat, "night train", *NAMES))
        await place.set_up()
        await place.mute("Ann", "Cid")
        await place.mute("Ann", "Cid")
        with pytest.raises(RateLimited):
            await place.mute("Ann", "Cid")


async def test_pseudonym_that_nobody_has_is_refused(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.order.mute(place.id, "0123456789abcdef01", None, **place.by("Ann"))
    with pytest.raises(NotFound):
        await place.order.mute("no such room", place.authors["Cid"], None, **place.by("Ann"))


async def list_rows(chat: Chat, kind: type[StandingRow] | type[BanRow]) -> list[object]:
    """Return all rows of a table."""
    async with chat._database.read_session() as session:
        return list((await session.exec(select(kind))).all())
