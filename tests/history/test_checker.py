"""The checker finds each kind of fault, and none in a correct record."""

from dataclasses import replace

import pytest

from tests.history.checker import find_delay, find_faults, find_lateness
from tests.history.record import Line, Record, Sight, Telling

ONE, TWO, THREE = (
    Line(seq, text, author, expires_at=100.0, dedup_id=f"d{seq}")
    for seq, text, author in ((1, "one", "Ann"), (2, "two", "Bob"), (3, "three", "Ann"))
)


@pytest.fixture
def record() -> Record:
    """Return a record without faults.

    Three messages were stored at the times 1, 2 and 3; one was refused, and the outcome of one is
    unknown.
    """
    record = Record()
    for line in (ONE, TWO, THREE):
        post = record.post(
            line.text, dedup_id=line.dedup_id, author=line.author, expires_at=line.expires_at
        )
        post.tries = 2
        post.accepted.append(float(line.seq))
        post.stored.append(line)
    for text in ("refused", "open"):
        record.post(text, dedup_id=text, author="Bob", expires_at=100).tries = 1
    record.posts["refused"].refused.append("too long")
    record.sights += [
        see(1.5, ONE),
        see(2.5, ONE, TWO),
        see(3.5, ONE, TWO, THREE),
        see(4.5, TWO, THREE, more=True),
    ]
    record.responses.append(Telling("Zoë", 2.5, (ONE, TWO)))
    record.streams["Zoë"] = [1, 2, 3]
    record.ends = {
        name: see(9, ONE, TWO, THREE, reader=name, more=name == "Mira") for name in ("Mira", "Zoë")
    }
    return record


def see(
    at: float,
    *lines: Line,
    reader: str = "Mira",
    requested_at: float = 0,
    is_synced: bool = True,
    more: bool = False,
) -> Sight:
    return Sight(reader, at, requested_at or at, lines, is_synced, more)


def faults(record: Record) -> set[str]:
    """Return the kinds of the faults in the record."""
    return {fault.partition(":")[0] for fault in find_faults(record)}


def test_checker_finds_no_fault_in_a_correct_record(record: Record) -> None:
    assert find_faults(record) == []


def test_message_missing_between_others_is_lost(record: Record) -> None:
    record.sights.append(see(5, ONE, THREE, requested_at=0.1))
    assert faults(record) == {"lost"}


def test_missing_last_message_is_lost_if_acknowledged_before_the_request(
    record: Record,
) -> None:
    record.sights.append(see(5, ONE, TWO, requested_at=2.9))
    assert faults(record) == set()
    record.sights.append(see(5, ONE, TWO, requested_at=3.1))
    assert faults(record) == {"lost"}


def test_message_before_the_first_row_is_not_lost_if_there_are_more(record: Record) -> None:
    record.sights.append(see(5, THREE, more=True))
    assert faults(record) == set()
    record.sights.append(see(5, THREE))
    assert faults(record) == {"lost"}


def test_message_is_not_lost_while_the_reader_is_unsure(record: Record) -> None:
    record.sights.append(see(5, ONE, THREE, is_synced=False))
    assert faults(record) == set()


def test_deleted_message_is_not_lost(record: Record) -> None:
    record.removal(requested_at=6, seq=2)
    record.sights.append(see(6.1, ONE, THREE))
    record.ends.clear()
    assert faults(record) == set()
    record.sights.append(see(5.9, ONE, THREE))
    assert faults(record) == {"lost"}


def test_accepted_message_that_is_never_seen_is_lost(record: Record) -> None:
    record.posts["open"].accepted.append(4)
    assert faults(record) == {"lost"}


def test_unseen_message_of_a_forgotten_author_is_not_lost(record: Record) -> None:
    record.posts["open"].accepted.append(4)
    record.posts["open"].author = "Zoë"
    record.removal(requested_at=5, author="Zoë")
    assert faults(record) == set()


def test_row_shown_twice_is_doubled(record: Record) -> None:
    record.sights.append(see(5, ONE, TWO, TWO, THREE))
    assert faults(record) == {"doubled"}


def test_text_stored_twice_is_doubled(record: Record) -> None:
    record.responses.append(Telling("Zoë", 5, (replace(THREE, seq=4),)))
    assert "doubled" in faults(record)


def test_second_response_with_another_seq_is_doubled(record: Record) -> None:
    record.posts["three"].stored.append(replace(THREE, seq=4))
    assert "doubled" in faults(record)


def test_response_of_another_post_is_mixed_up(record: Record) -> None:
    record.posts["two"].stored.append(ONE)
    assert faults(record) == {"mixed up"}


def test_row_with_another_dedup_id_is_mixed_up(record: Record) -> None:
    record.sights.append(see(5, ONE, replace(TWO, dedup_id="d1"), THREE))
    assert faults(record) == {"mixed up"}


def test_rows_in_wrong_order_are_out_of_order(record: Record) -> None:
    record.sights.append(see(5, TWO, ONE, THREE))
    assert faults(record) == {"out of order"}


def test_different_order_between_readers_is_out_of_order(record: Record) -> None:
    swapped = replace(ONE, seq=2), replace(TWO, seq=1)
    record.sights.append(see(5, *sorted(swapped, key=lambda line: line.seq), reader="Zoë"))
    assert "out of order" in faults(record)


@pytest.mark.parametrize("seqs", [[1, 2, 2, 3], [1, 3, 2]])
def test_stream_with_a_repeated_or_lower_seq_is_out_of_order(
    record: Record, seqs: list[int]
) -> None:
    record.streams["Zoë"] = seqs
    assert faults(record) == {"out of order"}


def test_missing_seq_is_skipped_unless_a_post_is_unresolved(record: Record) -> None:
    five = Line(5, "five", "Ann", expires_at=100, dedup_id="d5")
    record.post("five", dedup_id="d5", author="Ann", expires_at=100).tries = 1
    record.sights.append(see(8, ONE, TWO, THREE, five, is_synced=False))
    assert faults(record) == set()
    record.posts["open"].refused.append("too long")
    assert faults(record) == {"skipped"}


def test_row_shown_over_a_second_after_its_expiry_is_late(record: Record) -> None:
    record.sights.append(see(100.9, ONE, TWO, THREE))
    assert faults(record) == set()
    record.sights.append(see(101.1, ONE, TWO, THREE))
    assert faults(record) == {"late"}
    assert find_faults(record, tolerance=1.2) == []
    assert find_lateness(record) == pytest.approx(1.1)


def test_text_stored_again_after_its_expiry_is_not_doubled(record: Record) -> None:
    again = Line(4, "one", "Ann", expires_at=161.0)
    record.sights.append(see(105, again))
    assert "doubled" in faults(record)
    assert "doubled" in {fault.partition(":")[0] for fault in find_faults(record, ttl=62)}
    assert not any(fault.startswith("doubled") for fault in find_faults(record, ttl=60))


def test_message_that_expired_before_its_event_could_arrive_is_not_lost(record: Record) -> None:
    post = record.post("brief", dedup_id="d4", author="Ann", expires_at=8.0)
    post.accepted.append(4.0)
    record.sights.append(see(6, ONE, TWO, THREE))
    assert faults(record) == {"lost"}
    assert find_faults(record, propagation_seconds=3) == []


def test_delay_lasts_until_an_acknowledged_message_is_seen(record: Record) -> None:
    assert find_delay(record, since=0) == pytest.approx(0.5)
    record.sights += [see(7, reader="Zoë"), see(9, ONE, TWO, THREE, reader="Zoë")]
    assert find_delay(record, since=0) == pytest.approx(8)
    assert find_delay(record, since=4) == pytest.approx(5)
    assert find_delay(record, since=4, absent=["Zoë"]) == 0


def test_message_returned_after_its_expiry_is_late(record: Record) -> None:
    record.responses.append(Telling("Zoë", 100.1, (THREE,)))
    assert faults(record) == {"late"}


def test_refused_message_that_is_shown_is_a_ghost(record: Record) -> None:
    record.sights.append(see(5, ONE, TWO, THREE, Line(4, "refused", "Bob", expires_at=100)))
    record.ends.clear()
    assert faults(record) == {"a ghost"}


def test_message_that_was_never_posted_is_a_ghost(record: Record) -> None:
    record.responses.append(Telling("Zoë", 5, (Line(4, "boo", "Bob", expires_at=100),)))
    assert faults(record) == {"a ghost"}


def test_message_returned_after_its_deletion_is_a_ghost(record: Record) -> None:
    record.removal(requested_at=5, seq=2).done = 6
    record.ends.clear()
    record.responses.append(Telling("Mira", 5.5, (TWO,)))
    assert faults(record) == set()
    record.responses.append(Telling("Mira", 6.5, (TWO,)))
    assert faults(record) == {"a ghost"}


def test_deleted_message_that_remains_is_a_ghost(record: Record) -> None:
    record.removal(requested_at=5, seq=2).done = 6
    assert faults(record) == {"a ghost"}


def test_remaining_message_of_a_forgotten_author_is_a_ghost(record: Record) -> None:
    record.removal(requested_at=5, author="Ann").done = 6
    record.ends = {"Mira": see(9, TWO, requested_at=5)}
    assert faults(record) == set()
    record.ends = {"Mira": see(9, ONE, TWO, requested_at=5)}
    assert faults(record) == {"a ghost"}


def test_acknowledged_message_missing_at_the_end_is_lost(record: Record) -> None:
    record.ends = {
        name: see(9, ONE, TWO, reader=name, requested_at=0.1) for name in ("Mira", "Zoë")
    }
    assert faults(record) == {"lost"}


def test_readers_with_different_final_lists_are_apart(record: Record) -> None:
    record.posts["three"].accepted.clear()
    record.ends["Zoë"] = see(9, ONE, TWO, reader="Zoë", requested_at=0.1)
    assert faults(record) == {"apart"}


def change(line: Line, revision: int, *, edition: int = 0, thumbs: int = 0) -> Line:
    """Return a message after changes."""
    reactions = (("👍", thumbs),) if thumbs else ()
    return replace(line, revision=revision, edition=edition, reactions=reactions)


def end_with(two: Line) -> dict[str, Sight]:
    """Return final lists that are equal, with this state of the second message."""
    return {name: see(9, ONE, two, THREE, reader=name) for name in ("Mira", "Zoë")}


def edit_two(record: Record) -> None:
    """Record an edit of the second message, which all have got at the end."""
    record.edit(record.posts["two"], seq=2, requested_at=5).done = 6
    edited = change(TWO, 1, edition=1)
    record.sights.append(see(6.5, ONE, edited, THREE))
    record.ends = end_with(edited)


def test_edit_that_all_have_got_is_no_fault(record: Record) -> None:
    edit_two(record)
    assert find_faults(record) == []


def test_list_without_an_edit_that_was_acknowledged_before_is_lost(record: Record) -> None:
    edit_two(record)
    record.sights.append(see(7, ONE, TWO, THREE, reader="Bob", requested_at=5.9))
    assert faults(record) == set()
    record.sights.append(see(7, ONE, TWO, THREE, reader="Bob", requested_at=6.1))
    assert faults(record) == {"lost"}


def test_edit_that_is_missing_at_the_end_is_lost(record: Record) -> None:
    record.edit(record.posts["two"], seq=2, requested_at=5).done = 9
    assert faults(record) == {"lost"}


def test_edit_with_an_unknown_outcome_may_be_missing_or_there(record: Record) -> None:
    record.edit(record.posts["two"], seq=2, requested_at=5)
    assert faults(record) == set()
    record.ends = end_with(change(TWO, 1, edition=1))
    assert faults(record) == set()


def test_edit_that_nobody_has_made_is_a_ghost(record: Record) -> None:
    record.responses.append(Telling("Zoë", 5, (change(TWO, 1, edition=1),)))
    assert faults(record) == {"a ghost"}


def test_older_revision_after_a_newer_one_on_the_same_screen_is_a_step_back(
    record: Record,
) -> None:
    edit_two(record)
    record.ends.clear()
    record.sights.append(see(6.6, ONE, TWO, THREE, requested_at=0.1, is_synced=False))
    assert faults(record) == {"a step back"}
    record.sights[-1] = replace(record.sights[-1], screen=1)
    assert faults(record) == set()


def test_change_that_is_accepted_after_the_deletion_is_a_ghost(record: Record) -> None:
    record.removal(requested_at=5, seq=2).done = 6
    record.ends = {name: see(9, ONE, THREE, reader=name) for name in ("Mira", "Zoë")}
    edit = record.edit(record.posts["two"], seq=2, requested_at=5.5)
    edit.done = 6.5  # while it was deleted
    assert faults(record) == set()
    edit.requested_at = 6.1
    assert faults(record) == {"a ghost"}


def test_deleted_message_that_an_edit_brings_back_is_a_ghost(record: Record) -> None:
    record.edit(record.posts["two"], seq=2, requested_at=5.5).done = 5.9
    record.removal(requested_at=5, seq=2).done = 6
    record.ends = end_with(change(TWO, 1, edition=1))
    assert faults(record) == {"a ghost"}


def test_revision_that_differs_between_readers_is_apart(record: Record) -> None:
    edit_two(record)
    record.responses.append(Telling("Bob", 7, (change(TWO, 1, edition=1, thumbs=1),)))
    assert faults(record) == {"apart"}


def test_readers_with_different_final_revisions_are_apart(record: Record) -> None:
    record.reacting(seq=2, author="Ann", emoji="👍", on=True, requested_at=5)
    record.ends["Zoë"] = see(9, ONE, change(TWO, 1, thumbs=1), THREE, reader="Zoë")
    assert faults(record) == {"apart"}


def test_reactions_at_the_end_are_those_that_were_added_last(record: Record) -> None:
    for author, on in (("Ann", True), ("Bob", True), ("Bob", False)):
        reacting = record.reacting(seq=2, author=author, emoji="👍", on=on, requested_at=5)
        reacting.done = 6
    for thumbs, expected in ((1, set()), (2, {"lost"}), (0, {"lost"})):
        record.ends = end_with(change(TWO, 3, thumbs=thumbs))
        assert faults(record) == expected
    record.reacting(seq=2, author="Zoë", emoji="👍", on=True, requested_at=7)  # unknown outcome
    for thumbs in (1, 2):
        record.ends = end_with(change(TWO, 3, thumbs=thumbs))
        assert faults(record) == set()
