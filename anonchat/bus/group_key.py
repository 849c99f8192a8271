"""The key that all running nodes share: what travels between them, and lies in Valkey, is sealed
with keys derived from it.

It is random and held in memory alone. A node that starts is given it by one that has it, through an
exchange of ephemeral X25519 keys that only nodes with the secret key take part in. So recorded
traffic, or a dump of Valkey, opens with the secret key neither then nor later.

Valkey holds the id of the current key, sealed with the secret key, for as long as a node that has
the key renews it. When all such nodes are gone the id expires, and the next node makes a new key.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from ..ids import new_id
from ..seal import KEY_BYTES, BrokenSeal, KeyExchange, derive_key, seal, unseal
from ..valkey import Valkey

CHANNEL = "anonchat:group key"
_PLACE = "anonchat:group key id"
_LEASE_MS = 3_000
_ANSWER_SECONDS = 0.5


class OtherSecret(Exception):
    """The nodes that run have another secret key."""


@dataclass(frozen=True)
class GroupKey:
    """A key of all nodes, and the id by which they speak of it."""

    id: str
    key: bytes

    @cached_property
    def of_events(self) -> bytes:
        """The key that events are sealed with."""
        return derive_key(self.key, purpose="events")

    @cached_property
    def of_keys(self) -> bytes:
        """The key that keys are wrapped with."""
        return derive_key(self.key, purpose="keys")


class GroupKeyAgreement:
    """Holds the key of all nodes: asks for it, makes it if there is nobody to ask, and gives it."""

    def __init__(self, secret: str, valkey: Valkey) -> None:
        self._secret = derive_key(secret.encode(), purpose="group key")
        self._valkey = valkey
        self._held: GroupKey | None = None
        self._question: dict[str, str] = {}
        self._answer: asyncio.Future[GroupKey] | None = None
        self._exchange: KeyExchange | None = None

    @property
    def current(self) -> GroupKey | None:
        """The key that was agreed on last; `None` before the first time."""
        return self._held

    async def agree(self, count_others: Callable[[], Awaitable[int]]) -> None:
        """Hold the key that all nodes use from now on, however long it takes.

        `CHANNEL` has to be heard meanwhile, and what comes there handed to `take_in`. Raises
        `ValkeyLost`, or `OtherSecret` if the nodes that run have another secret key.
        """
        while not await self.renew():
            is_alone = not await count_others()
            try:
                id = await self._read_id()
            except OtherSecret:
                if not is_alone:
                    raise
                id = None
            if is_alone:  # whoever had the key has just gone
                held = self._held or _make()
                await self._valkey.call("SET", _PLACE, self._seal_id(held), "PX", _LEASE_MS)
                self._held = held
            elif id is not None:
                await self._ask(id)

    async def renew(self) -> bool:
        """Say that the key is held here; tell whether it is still that of all nodes.

        If nobody says so of any key, this one is; if none was held, one is made. Raises
        `ValkeyLost`.
        """
        held = self._held or _make()
        is_free = await self._valkey.call("SET", _PLACE, self._seal_id(held), "NX", "PX", _LEASE_MS)
        if is_free:
            self._held = held
            return True
        try:
            is_current = self._held is not None and await self._read_id() == self._held.id
        except OtherSecret:
            return False
        if is_current:
            await self._valkey.call("PEXPIRE", _PLACE, _LEASE_MS)
        return is_current

    async def take_in(self, packet: bytes) -> None:
        """Answer a question of another node, or take the answer to ours. Raises `ValkeyLost`."""
        with suppress(BrokenSeal, ValueError, KeyError):  # not of a node, or of another version
            told: dict[str, str] = json.loads(unseal(self._secret, packet, place=CHANNEL))
            if "sealed" in told:
                self._take_answer(told)
            elif self._held and self._held.id == told["id"]:
                await self._give(self._held, told)

    async def _ask(self, id: str) -> None:
        """Ask all nodes for the key of this id, and wait a moment for the first who answers."""
        self._exchange = exchange = KeyExchange()
        self._answer = asyncio.get_running_loop().create_future()
        self._question = {"id": id, "question": new_id(), "public": exchange.public.hex()}
        try:
            await self._tell(self._question)
            self._held = await asyncio.wait_for(self._answer, _ANSWER_SECONDS)
        except TimeoutError:
            pass  # whoever has the key may be gone: its id expires soon
        finally:
            self._answer = self._exchange = None

    async def _give(self, group: GroupKey, question: dict[str, str]) -> None:
        exchange = KeyExchange()
        place = _describe(question, answering=exchange.public.hex())
        asking = bytes.fromhex(question["public"])
        key = exchange.derive(asking, secret=self._secret, purpose=place)
        await self._tell(
            {
                "question": question["question"],
                "public": exchange.public.hex(),
                "sealed": seal(key, group.key, place=place).hex(),
            }
        )

    def _take_answer(self, told: dict[str, str]) -> None:
        if self._exchange is None or self._answer is None or self._answer.done():
            return
        if told["question"] != self._question["question"]:
            return
        place = _describe(self._question, answering=told["public"])
        answering = bytes.fromhex(told["public"])
        key = self._exchange.derive(answering, secret=self._secret, purpose=place)
        content = unseal(key, bytes.fromhex(told["sealed"]), place=place)
        self._answer.set_result(GroupKey(self._question["id"], content))

    async def _tell(self, told: dict[str, str]) -> None:
        packet = seal(self._secret, json.dumps(told).encode(), place=CHANNEL)
        await self._valkey.call("PUBLISH", CHANNEL, packet)

    async def _read_id(self) -> str | None:
        """Return the id of the current key; raise `OtherSecret` if it does not open here."""
        sealed = await self._valkey.call("GET", _PLACE)
        if sealed is None:
            return None
        try:
            return unseal(self._secret, sealed, place=_PLACE).decode()
        except BrokenSeal as error:
            raise OtherSecret from error

    def _seal_id(self, group: GroupKey) -> bytes:
        return seal(self._secret, group.id.encode(), place=_PLACE)


def _make() -> GroupKey:
    return GroupKey(new_id(), os.urandom(KEY_BYTES))


def _describe(question: dict[str, str], *, answering: str) -> str:
    """Return the whole exchange, so that no part of it fits into another."""
    return " ".join(("group key", *(question[name] for name in sorted(question)), answering))
