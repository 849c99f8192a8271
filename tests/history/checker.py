"""Finds whatever is wrong in a record: lost, doubled, out of order, a ghost, or too late."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import pairwise

from tests.history.record import Line, Post, Record, Removal, Sight, Telling

TOLERANCE = 1.0  # seconds that a row may stay on a screen after its end
_EARLY = 1.0  # seconds before its end in which a row may be fading already


def find_faults(
    record: Record,
    *,
    tolerance: float = TOLERANCE,
    distance: float = 0.0,
    life: float = math.inf,
) -> list[str]:
    """Return a sentence for each thing that should not have happened.

    `distance` is how many seconds word may take from one node to another. After the `life` of a
    message what was held back somewhere may be taken for another: nobody knows it any more.
    """
    return list(_Checker(record, tolerance, distance, life).find())


def find_lateness(record: Record) -> float:
    """Return for how many seconds a row was seen after its end, at the most."""
    late = (sight.at - line.until for sight in record.sights for line in sight.lines)
    return max(0.0, max(late, default=0.0))


def find_delay(record: Record, *, since: float, away: Collection[str] = ()) -> float:
    """Return for how many seconds, since that moment, somebody lacked what was acknowledged.

    Who was `away` by themselves is not asked.
    """
    kept = {
        text: max(since, min(post.accepted)) for text, post in record.posts.items() if post.accepted
    }
    seen: dict[tuple[str, str], float] = {}
    for sight in record.sights:
        if sight.reader not in away:
            for line in sight.lines:
                seen.setdefault((sight.reader, line.text), sight.at)
    late = (at - kept.get(text, at) for (_, text), at in seen.items())
    return max(0.0, max(late, default=0.0))


class _Checker:
    def __init__(self, record: Record, tolerance: float, distance: float, life: float) -> None:
        self.record = record
        self.tolerance = tolerance
        self.distance = distance
        self.life = life

    def find(self) -> Iterator[str]:
        yield from self._find_contradictions()
        yield from self._find_skipped_numbers()
        for post in self.record.posts.values():
            yield from self._check_post(post)
        for sight in self.record.sights:
            yield from self._check_sight(sight)
        for telling in self.record.tellings:
            yield from self._check_telling(telling)
        for reader, seqs in self.record.streams.items():
            if any(later <= earlier for earlier, later in pairwise(seqs)):
                yield f"out of order: {reader} was told {seqs}"
        yield from self._check_ends()

    @cached_property
    def _lines(self) -> set[Line]:
        """Every line that anybody was given."""
        given = {line for post in self.record.posts.values() for line in post.stored}
        for had in (*self.record.sights, *self.record.tellings, *self.record.ends.values()):
            given.update(had.lines)
        return given

    @cached_property
    def _texts(self) -> set[str]:
        return {line.text for line in self._lines}

    @cached_property
    def _by_seq(self) -> dict[int, Line]:
        return {line.seq: line for line in self._lines}

    @cached_property
    def _kept_since(self) -> dict[int, float]:
        """When it was first said of a message that it is stored."""
        posts = self.record.posts
        return {
            line.seq: min(posts[line.text].accepted)
            for line in self._lines
            if line.text in posts and posts[line.text].accepted
        }

    @cached_property
    def _asked_to_go(self) -> dict[int, float]:
        """From when on a message may be missing."""
        ends = {seq: line.until - _EARLY for seq, line in self._by_seq.items()}
        for removal in self.record.removals:
            for seq in self._removed_by(removal):
                ends[seq] = min(ends.get(seq, math.inf), removal.asked)
        return ends

    @cached_property
    def _gone(self) -> dict[int, float]:
        """From when on a message that was removed must be missing."""
        gone: dict[int, float] = {}
        for removal in self.record.removals:
            if removal.done is not None:
                for seq in self._removed_by(removal):
                    gone[seq] = min(gone.get(seq, math.inf), removal.done)
        return gone

    def _removed_by(self, removal: Removal) -> list[int]:
        if not removal.author:
            return [removal.seq]
        return [line.seq for line in self._by_seq.values() if line.author == removal.author]

    def _find_contradictions(self) -> Iterator[str]:
        """One order, the same for all: a number has one text, and a text one number."""
        texts: dict[int, set[str]] = defaultdict(set)
        ends: dict[str, dict[int, float]] = defaultdict(dict)
        for line in self._lines:
            texts[line.seq].add(line.text)
            ends[line.text][line.seq] = line.until
        for seq, said in texts.items():
            if len(said) > 1:
                yield f"out of order: {seq} is {sorted(said)}, not the same for all"
        for text, until in ends.items():
            in_order = [until[seq] for seq in sorted(until)]
            if any(later - self.life < earlier for earlier, later in pairwise(in_order)):
                yield f"doubled: {text!r} was stored as {sorted(until)}"
            if text not in self.record.posts:
                yield f"a ghost: nobody has said {text!r}"

    def _find_skipped_numbers(self) -> Iterator[str]:
        """No number is left out, unless it belongs to a post of which nobody knows what became."""
        skipped = set(range(1, max(self._by_seq, default=0) + 1)) - self._by_seq.keys()
        open_posts = [
            post
            for post in self.record.posts.values()
            if post.text not in self._texts and not post.is_refused
        ]
        if len(skipped) > len(open_posts):
            yield f"skipped: nothing is known of {sorted(skipped)}"

    def _check_post(self, post: Post) -> Iterator[str]:
        for line in post.stored:
            if (line.text, line.author) != (post.text, post.author):
                yield f"mixed up: {post.text!r} by {post.author} was stored as {line}"
        if post.is_refused and post.text in self._texts:
            yield f"a ghost: {post.text!r} was refused and is there: {post.refused}"
        if post.accepted and post.text not in self._texts and self._was_looked_for(post):
            yield f"lost: nobody ever saw {post.text!r}, which was accepted"

    def _was_looked_for(self, post: Post) -> bool:
        if any(removal.author == post.author for removal in self.record.removals):
            return False
        known = min(post.accepted)
        looks = [
            *((known + self.distance, sight) for sight in self.record.sights),
            *((known, sight) for sight in self.record.ends.values()),
        ]
        return any(
            sight.sure and sight.asked > there and sight.at < post.until - _EARLY
            for there, sight in looks
        )

    def _check_sight(self, sight: Sight) -> Iterator[str]:
        seqs = [line.seq for line in sight.lines]
        for what in (seqs, [line.text for line in sight.lines]):
            if len(set(what)) < len(what):
                yield f"doubled: {_who(sight)} sees {what}"
        if seqs != sorted(seqs):
            yield f"out of order: {_who(sight)} sees {seqs}"
        for line in sight.lines:
            if line.until + self.tolerance < sight.at:
                yield f"late: {_who(sight)} sees {line} {sight.at - line.until:.3f} s after its end"
            post = self.record.posts.get(line.text)
            if post and line.dedup_id and line.dedup_id != post.dedup_id:
                yield f"mixed up: {_who(sight)} sees {line}, whose dedup_id was {post.dedup_id}"
        yield from self._check_gaps(sight)

    def _check_telling(self, telling: Telling) -> Iterator[str]:
        for line in telling.lines:
            if line.until < telling.asked:
                yield f"late: {_who(telling)} was told {line}, which had ended before"
            if self._gone.get(line.seq, math.inf) + self.distance < telling.asked:
                yield f"a ghost: {_who(telling)} was told {line}, which was removed before"

    def _check_gaps(self, sight: Sight) -> Iterator[str]:
        """Whoever is sure of what they see misses nothing, neither in the middle nor at the end."""
        if not sight.sure or (sight.more and not sight.lines):
            return
        shown = {line.seq for line in sight.lines}
        first = min(shown) if sight.more else 0
        last = max(shown, default=0)
        for seq in self._by_seq.keys() - shown:
            known = self._kept_since.get(seq, math.inf) + self.distance
            was_there = known < sight.asked
            if first < seq < last:  # what follows it is there: it has no time, but to travel
                was_there = not self.distance or known < sight.at
            if seq > first and was_there and sight.at < self._asked_to_go[seq]:
                yield f"lost: {_who(sight)} misses {self._by_seq[seq]}, sees {sorted(shown)}"

    def _check_ends(self) -> Iterator[str]:
        """When everything has come to rest, all see the same, and all that was acknowledged."""
        ends = self.record.ends
        for sight in ends.values():
            yield from self._check_sight(sight)
            shown = {line.seq for line in sight.lines}
            first = min(shown, default=0) if sight.more else 0
            for seq in self._kept_since.keys() - shown:
                if seq >= first and sight.at < self._asked_to_go[seq]:
                    yield f"lost: {_who(sight)} never got {self._by_seq[seq]}"
            for line in sight.lines:
                if line.seq in self._gone:
                    yield f"a ghost: {_who(sight)} still has {line}, which was removed"
        for one in ends.values():
            for other in ends.values():
                if _from(one, other) != _from(other, one):
                    yield f"apart: {one.reader} sees {_seqs(one)}, {other.reader} {_seqs(other)}"
                    return


def _from(one: Sight, other: Sight) -> list[int]:
    """Return what one sees of the part that both have before them and that has not ended yet."""
    first = max((min(_seqs(each), default=0) for each in (one, other) if each.more), default=0)
    end = max(one.at, other.at) + TOLERANCE
    return [line.seq for line in one.lines if line.seq >= first and line.until > end]


def _seqs(sight: Sight) -> list[int]:
    return [line.seq for line in sight.lines]


def _who(had: Sight | Telling) -> str:
    return f"{had.reader} ({had.asked:.3f})"
