"""Finds the faults in a record: messages lost, doubled, out of order, late, or ghosts.

A deletion wins over changes. Revisions order the changes of a message: nobody sees an older one
after a newer one on the same screen, and at the end all see the same, with every acknowledged edit
and reaction.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import pairwise

from tests.history.record import Line, Post, Reacting, Record, Removal, Sight, Telling

TOLERANCE = 1.0  # seconds for which a row may be shown after its expiry
_EARLY = 1.0  # seconds before its expiry in which a row may be missing already


def find_faults(
    record: Record,
    *,
    tolerance: float = TOLERANCE,
    propagation_seconds: float = 0.0,
    ttl: float = math.inf,
) -> list[str]:
    """Return a sentence for each fault.

    Events may take `propagation_seconds` between nodes. A delayed retry more than `ttl` seconds
    later may be stored as a new message, because its `dedup_id` is deleted with the old one.
    """
    return list(_Checker(record, tolerance, propagation_seconds, ttl).find())


def find_lateness(record: Record) -> float:
    """Return the longest time in seconds for which a row was shown after its expiry."""
    late = (sight.at - line.expires_at for sight in record.sights for line in sight.lines)
    return max(0.0, max(late, default=0.0))


def find_delay(record: Record, *, since: float, absent: Collection[str] = ()) -> float:
    """Return the longest time in seconds after `since` until a reader had an acknowledged message.

    Readers in `absent`, who leave and rejoin the room, are ignored.
    """
    acknowledged_at = {
        text: max(since, min(post.accepted)) for text, post in record.posts.items() if post.accepted
    }
    seen: dict[tuple[str, str], float] = {}
    for sight in record.sights:
        if sight.reader not in absent:
            for line in sight.lines:
                seen.setdefault((sight.reader, line.text), sight.at)
    late = (at - acknowledged_at.get(text, at) for (_, text), at in seen.items())
    return max(0.0, max(late, default=0.0))


class _Checker:
    def __init__(
        self, record: Record, tolerance: float, propagation_seconds: float, ttl: float
    ) -> None:
        self.record = record
        self.tolerance = tolerance
        self.propagation_seconds = propagation_seconds
        self.ttl = ttl

    def find(self) -> Iterator[str]:
        yield from self._find_contradictions()
        yield from self._find_skipped_seqs()
        for post in self.record.posts.values():
            yield from self._check_post(post)
        for sight in self.record.sights:
            yield from self._check_sight(sight)
        for response in self.record.responses:
            yield from self._check_response(response)
        for reader, seqs in self.record.streams.items():
            if any(later <= earlier for earlier, later in pairwise(seqs)):
                yield f"out of order: {reader} received {seqs}"
        yield from self._check_ends()
        yield from self._find_wrong_changes()
        yield from self._find_steps_back()

    @cached_property
    def _lines(self) -> set[Line]:
        """All lines that any reader or author has got."""
        lines = {line for post in self.record.posts.values() for line in post.stored}
        for observation in (
            *self.record.sights,
            *self.record.responses,
            *self.record.ends.values(),
        ):
            lines.update(observation.lines)
        return lines

    @cached_property
    def _texts(self) -> set[str]:
        return {line.text for line in self._lines}

    @cached_property
    def _by_seq(self) -> dict[int, Line]:
        return {line.seq: line for line in self._lines}

    @cached_property
    def _acknowledged_at(self) -> dict[int, float]:
        """The time of the first acknowledgement of each message, by `seq`."""
        posts = self.record.posts
        return {
            line.seq: min(posts[line.text].accepted)
            for line in self._lines
            if line.text in posts and posts[line.text].accepted
        }

    @cached_property
    def _may_be_missing_from(self) -> dict[int, float]:
        """The time from which a message may be missing, by `seq`."""
        ends = {seq: line.expires_at - _EARLY for seq, line in self._by_seq.items()}
        for removal in self.record.removals:
            for seq in self._deleted_seqs(removal):
                ends[seq] = min(ends.get(seq, math.inf), removal.requested_at)
        return ends

    @cached_property
    def _must_be_missing_from(self) -> dict[int, float]:
        """The time from which a deleted message must be missing, by `seq`."""
        times: dict[int, float] = {}
        for removal in self.record.removals:
            if removal.done is not None:
                for seq in self._deleted_seqs(removal):
                    times[seq] = min(times.get(seq, math.inf), removal.done)
        return times

    def _deleted_seqs(self, removal: Removal) -> list[int]:
        if not removal.author:
            return [removal.seq]
        return [line.seq for line in self._by_seq.values() if line.author == removal.author]

    def _find_contradictions(self) -> Iterator[str]:
        """Each `seq` has one text for all readers, and each text one `seq`."""
        texts: dict[int, set[str]] = defaultdict(set)
        ends: dict[str, dict[int, float]] = defaultdict(dict)
        for line in self._lines:
            texts[line.seq].add(line.text)
            ends[line.text][line.seq] = line.expires_at
        for seq, variants in texts.items():
            if len(variants) > 1:
                yield f"out of order: {seq} is {sorted(variants)}, depending on the reader"
        for text, expires_at in ends.items():
            in_order = [expires_at[seq] for seq in sorted(expires_at)]
            if any(later - self.ttl < earlier for earlier, later in pairwise(in_order)):
                yield f"doubled: {text!r} was stored as {sorted(expires_at)}"
            if text not in self.record.posts:
                yield f"a ghost: {text!r} was never posted"

    def _find_skipped_seqs(self) -> Iterator[str]:
        """A `seq` may be missing only if a post has an unknown outcome."""
        skipped = set(range(1, max(self._by_seq, default=0) + 1)) - self._by_seq.keys()
        open_posts = [
            post
            for post in self.record.posts.values()
            if post.text not in self._texts and not post.is_refused
        ]
        if len(skipped) > len(open_posts):
            yield f"skipped: no message has {sorted(skipped)}"

    def _check_post(self, post: Post) -> Iterator[str]:
        for line in post.stored:
            if (line.text, line.author) != (post.text, post.author):
                yield f"mixed up: {post.text!r} by {post.author} was stored as {line}"
        if post.is_refused and post.text in self._texts:
            yield f"a ghost: {post.text!r} was refused and is shown: {post.refused}"
        if post.accepted and post.text not in self._texts and self._should_have_been_read(post):
            yield f"lost: no reader has got {post.text!r}, which was accepted"

    def _should_have_been_read(self, post: Post) -> bool:
        if any(removal.author == post.author for removal in self.record.removals):
            return False
        acknowledged_at = min(post.accepted)
        lists = [
            *((acknowledged_at + self.propagation_seconds, sight) for sight in self.record.sights),
            *((acknowledged_at, sight) for sight in self.record.ends.values()),
        ]
        return any(
            sight.is_synced
            and sight.requested_at > stored_at
            and sight.at < post.expires_at - _EARLY
            for stored_at, sight in lists
        )

    def _check_sight(self, sight: Sight) -> Iterator[str]:
        seqs = [line.seq for line in sight.lines]
        for values in (seqs, [line.text for line in sight.lines]):
            if len(set(values)) < len(values):
                yield f"doubled: {_describe(sight)} sees {values}"
        if seqs != sorted(seqs):
            yield f"out of order: {_describe(sight)} sees {seqs}"
        for line in sight.lines:
            if line.expires_at + self.tolerance < sight.at:
                late = sight.at - line.expires_at
                yield f"late: {_describe(sight)} sees {line} {late:.3f} s after its expiry"
            post = self.record.posts.get(line.text)
            if post and line.dedup_id and line.dedup_id != post.dedup_id:
                yield f"mixed up: {_describe(sight)} sees {line}, posted with {post.dedup_id}"
        yield from self._check_gaps(sight)
        if sight.is_synced:
            yield from self._check_edits(sight, sight.requested_at - self.propagation_seconds)

    def _check_response(self, response: Telling) -> Iterator[str]:
        for line in response.lines:
            if line.expires_at < response.requested_at:
                yield f"late: {_describe(response)} got {line}, which had expired before"
            if (
                self._must_be_missing_from.get(line.seq, math.inf) + self.propagation_seconds
                < response.requested_at
            ):
                yield f"a ghost: {_describe(response)} got {line}, which was deleted before"

    def _check_gaps(self, sight: Sight) -> Iterator[str]:
        """A synchronized list misses no message, neither between others nor at the end."""
        if not sight.is_synced or (sight.more and not sight.lines):
            return
        shown = {line.seq for line in sight.lines}
        first = min(shown) if sight.more else 0
        last = max(shown, default=0)
        for seq in self._by_seq.keys() - shown:
            acknowledged_at = self._acknowledged_at.get(seq, math.inf) + self.propagation_seconds
            was_stored = acknowledged_at < sight.requested_at
            if first < seq < last:  # a later message is there: only propagation excuses it
                was_stored = not self.propagation_seconds or acknowledged_at < sight.at
            if seq > first and was_stored and sight.at < self._may_be_missing_from[seq]:
                yield f"lost: {_describe(sight)} misses {self._by_seq[seq]}, sees {sorted(shown)}"

    def _check_ends(self) -> Iterator[str]:
        """At the end all readers have the same list, with all acknowledged messages."""
        ends = self.record.ends
        for sight in ends.values():
            yield from self._check_sight(sight)
            shown = {line.seq for line in sight.lines}
            first = min(shown, default=0) if sight.more else 0
            for seq in self._acknowledged_at.keys() - shown:
                if seq >= first and sight.at < self._may_be_missing_from[seq]:
                    yield f"lost: {_describe(sight)} has never got {self._by_seq[seq]}"
            yield from self._check_edits(sight, math.inf)
            yield from self._check_reactions(sight)
            for line in sight.lines:
                if line.seq in self._must_be_missing_from:
                    yield f"a ghost: {_describe(sight)} still has {line}, which was deleted"
        for one in ends.values():
            for other in ends.values():
                if _from(one, other) != _from(other, one):
                    yield (
                        f"apart: {one.reader} sees {_from(one, other)}, "
                        f"{other.reader} {_from(other, one)}"
                    )
                    return

    def _find_wrong_changes(self) -> Iterator[str]:
        """A revision is the same for all; nothing was changed by nobody, or after its deletion."""
        states: dict[tuple[int, int], set[object]] = defaultdict(set)
        known = {(edit.seq, edit.edition) for edit in self.record.edits}
        for line in self._all_lines():
            states[line.seq, line.revision].add(line.state)
            if line.edition and (line.seq, line.edition) not in known:
                yield f"a ghost: {line} has an edit that nobody has made"
        for (seq, revision), variants in states.items():
            if len(variants) > 1:
                yield f"apart: revision {revision} of {seq} is {variants}, depending on the reader"
        for change in (*self.record.edits, *self.record.reactings):
            gone_at = self._must_be_missing_from.get(change.seq, math.inf)
            if change.done is not None and gone_at < change.requested_at:
                yield f"a ghost: {change} was accepted after the deletion"

    def _all_lines(self) -> Iterator[Line]:
        """Yield the lines of all readers with what changes have made of them."""
        for observation in (
            *self.record.sights,
            *self.record.responses,
            *self.record.ends.values(),
        ):
            yield from observation.lines

    def _find_steps_back(self) -> Iterator[str]:
        """Nobody sees an older revision after a newer one on the same screen."""
        seen: dict[tuple[str, int, int], int] = {}
        for sight in (*self.record.sights, *self.record.ends.values()):
            for line in sight.lines:
                place = sight.reader, sight.screen, line.seq
                if line.revision < seen.get(place, 0):
                    yield (
                        f"a step back: {_describe(sight)} sees revision {line.revision} of {line} "
                        f"after {seen[place]}"
                    )
                seen[place] = max(seen.get(place, 0), line.revision)

    @cached_property
    def _acknowledged_edits(self) -> dict[int, list[tuple[float, int]]]:
        """The times of the acknowledged edits of each message, by `seq`, and their numbers."""
        edits: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for edit in self.record.edits:
            if edit.done is not None:
                edits[edit.seq].append((edit.done, edit.edition))
        return edits

    def _check_edits(self, sight: Sight, since: float) -> Iterator[str]:
        """A list has the edits that were acknowledged before a moment, or later ones."""
        for line in sight.lines:
            for done, edition in self._acknowledged_edits.get(line.seq, ()):
                if done < since and line.edition < edition:
                    yield f"lost: {_describe(sight)} sees {line} without its edit {edition}"

    def _check_reactions(self, sight: Sight) -> Iterator[str]:
        """At the end, each reaction is there that was added last, and no other."""
        for line in sight.lines:
            counts = dict(line.reactions)
            for emoji in counts.keys() | {emoji for _, emoji in self._reactors.get(line.seq, {})}:
                count, (least, most) = counts.get(emoji, 0), self._count_reactors(line.seq, emoji)
                if not least <= count <= most:
                    expected = f"not {least} to {most}"
                    yield f"lost: {_describe(sight)} sees {count} × {emoji} on {line}, {expected}"

    @cached_property
    def _reactors(self) -> dict[int, dict[tuple[str, str], list[Reacting]]]:
        """What each author has done with each emoji, in order, by `seq`."""
        found: dict[int, dict[tuple[str, str], list[Reacting]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for reacting in self.record.reactings:
            if not reacting.is_refused:
                found[reacting.seq][reacting.author, reacting.emoji].append(reacting)
        return found

    def _count_reactors(self, seq: int, emoji: str) -> tuple[int, int]:
        """Return how many must have reacted at the end, and how many may have."""
        least = most = 0
        for (_, each), done in self._reactors.get(seq, {}).items():
            if each == emoji:
                is_open = done[-1].done is None
                least += done[-1].on and not is_open
                most += done[-1].on or is_open
        return least, most


def _from(one: Sight, other: Sight) -> list[tuple[int, int]]:
    """Return the messages of `one` in the range of both lists, without expired ones.

    Each is its `seq` and its revision.
    """
    first = max((min(_seqs(each), default=0) for each in (one, other) if each.more), default=0)
    end = max(one.at, other.at) + TOLERANCE
    shown = (line for line in one.lines if line.seq >= first and line.expires_at > end)
    return [(line.seq, line.revision) for line in shown]


def _seqs(sight: Sight) -> list[int]:
    return [line.seq for line in sight.lines]


def _describe(observation: Sight | Telling) -> str:
    return f"{observation.reader} ({observation.requested_at:.3f})"
