"""The checker finds what is wrong, and nothing where all is well."""

from dataclasses import replace

import pytest

from tests.history.checker import find_delay, find_faults, find_lateness
from tests.history.record import Line, Record, Sight, Telling

ONE, TWO, THREE = (
    Line(seq, text, author, until=100.0, dedup_id=f"d{seq}")
    for seq, text, author in ((1, "one", "Ann"), (2, "two", "Bob"), (3, "three", "Ann"))
)


@pytest.fixture
def record() -> Record:
    """Return what is noted down of a room in which all went well.

    Three were stored at the moments 1, 2 and 3; one was refused, of one nobody knows.
    """
    record = Record()
    for line in (ONE, TWO, THREE):
        post = record.post(line.text, dedup_id=line.dedup_id, author=line.author, until=line.until)
        post.tries = 2
        post.accepted.append(float(line.seq))
        post.stored.append(line)
    for text in ("refused", "open"):
        record.post(text, dedup_id=text, author="Bob", until=100).tries = 1
    record.posts["refused"].refused.append("too long")
    record.sights += [
        see(1.5, ONE),
        see(2.5, ONE, TWO),
        see(3.5, ONE, TWO, THREE),
        see(4.5, TWO, THREE, more=True),
    ]
    record.tellings.append(Telling("Zoë", 2.5, (ONE, TWO)))
    record.streams["Zoë"] = [1, 2, 3]
    record.ends = {
        name: see(9, ONE, TWO, THREE, reader=name, more=name == "Mira") for name in ("Mira", "Zoë")
    }
    return record


def see(
    at: float,
    *lines: Line,
    reader: str = "Mira",
    asked: float = 0,
    sure: bool = True,
    more: bool = False,
) -> Sight:
    return Sight(reader, at, asked or at, lines, sure, more)


def faults(record: Record) -> set[str]:
    """Return the kinds of what was found."""
    return {fault.partition(":")[0] for fault in find_faults(record)}


def test_where_all_is_well_nothing_is_found(record: Record) -> None:
    assert find_faults(record) == []


def test_a_message_that_is_missing_in_the_middle_is_lost(record: Record) -> None:
    record.sights.append(see(5, ONE, THREE, asked=0.1))
    assert faults(record) == {"lost"}


def test_a_message_that_was_acknowledged_before_one_asked_is_lost_at_the_end(
    record: Record,
) -> None:
    record.sights.append(see(5, ONE, TWO, asked=2.9))
    assert faults(record) == set()
    record.sights.append(see(5, ONE, TWO, asked=3.1))
    assert faults(record) == {"lost"}


def test_what_lies_before_the_first_row_of_many_is_not_lost(record: Record) -> None:
    record.sights.append(see(5, THREE, more=True))
    assert faults(record) == set()
    record.sights.append(see(5, THREE))
    assert faults(record) == {"lost"}


def test_who_is_still_asking_misses_nothing(record: Record) -> None:
    record.sights.append(see(5, ONE, THREE, sure=False))
    assert faults(record) == set()


def test_what_was_removed_or_fades_is_not_lost(record: Record) -> None:
    record.removal(asked=6, seq=2)
    record.sights.append(see(6.1, ONE, THREE))
    record.ends.clear()
    assert faults(record) == set()
    record.sights.append(see(5.9, ONE, THREE))
    assert faults(record) == {"lost"}


def test_what_was_accepted_and_was_never_seen_is_lost(record: Record) -> None:
    record.posts["open"].accepted.append(4)
    assert faults(record) == {"lost"}


def test_what_was_accepted_of_one_who_was_forgotten_may_never_be_seen(record: Record) -> None:
    record.posts["open"].accepted.append(4)
    record.posts["open"].author = "Zoë"
    record.removal(asked=5, author="Zoë")
    assert faults(record) == set()


def test_a_row_that_is_there_twice_is_doubled(record: Record) -> None:
    record.sights.append(see(5, ONE, TWO, TWO, THREE))
    assert faults(record) == {"doubled"}


def test_a_text_that_was_stored_twice_is_doubled(record: Record) -> None:
    record.tellings.append(Telling("Zoë", 5, (replace(THREE, seq=4),)))
    assert "doubled" in faults(record)


def test_an_answer_that_names_another_number_the_second_time_is_doubled(record: Record) -> None:
    record.posts["three"].stored.append(replace(THREE, seq=4))
    assert "doubled" in faults(record)


def test_an_answer_of_another_post_is_mixed_up(record: Record) -> None:
    record.posts["two"].stored.append(ONE)
    assert faults(record) == {"mixed up"}


def test_a_row_of_another_dedup_id_is_mixed_up(record: Record) -> None:
    record.sights.append(see(5, ONE, replace(TWO, dedup_id="d1"), THREE))
    assert faults(record) == {"mixed up"}


def test_rows_in_another_order_are_out_of_order(record: Record) -> None:
    record.sights.append(see(5, TWO, ONE, THREE))
    assert faults(record) == {"out of order"}


def test_an_order_that_differs_between_readers_is_out_of_order(record: Record) -> None:
    swapped = replace(ONE, seq=2), replace(TWO, seq=1)
    record.sights.append(see(5, *sorted(swapped, key=lambda line: line.seq), reader="Zoë"))
    assert "out of order" in faults(record)


@pytest.mark.parametrize("told", [[1, 2, 2, 3], [1, 3, 2]])
def test_a_stream_that_repeats_itself_or_goes_back_is_out_of_order(
    record: Record, told: list[int]
) -> None:
    record.streams["Zoë"] = told
    assert faults(record) == {"out of order"}


def test_a_number_that_nobody_knows_is_skipped_unless_a_post_is_open(record: Record) -> None:
    five = Line(5, "five", "Ann", until=100, dedup_id="d5")
    record.post("five", dedup_id="d5", author="Ann", until=100).tries = 1
    record.sights.append(see(8, ONE, TWO, THREE, five, sure=False))
    assert faults(record) == set()
    record.posts["open"].refused.append("too long")
    assert faults(record) == {"skipped"}


def test_a_row_that_stays_for_longer_than_a_second_is_late(record: Record) -> None:
    record.sights.append(see(100.9, ONE, TWO, THREE))
    assert faults(record) == set()
    record.sights.append(see(101.1, ONE, TWO, THREE))
    assert faults(record) == {"late"}
    assert find_faults(record, tolerance=1.2) == []
    assert find_lateness(record) == pytest.approx(1.1)


def test_what_was_stored_again_after_its_end_is_not_doubled(record: Record) -> None:
    again = Line(4, "one", "Ann", until=161.0)
    record.sights.append(see(105, again))
    assert "doubled" in faults(record)
    assert "doubled" in {fault.partition(":")[0] for fault in find_faults(record, life=62)}
    assert not any(fault.startswith("doubled") for fault in find_faults(record, life=60))


def test_what_ended_before_word_of_it_could_travel_is_not_lost(record: Record) -> None:
    post = record.post("brief", dedup_id="d4", author="Ann", until=8.0)
    post.accepted.append(4.0)
    record.sights.append(see(6, ONE, TWO, THREE))
    assert faults(record) == {"lost"}
    assert find_faults(record, distance=3) == []


def test_what_was_acknowledged_and_is_seen_later_is_lacking_until_then(record: Record) -> None:
    assert find_delay(record, since=0) == pytest.approx(0.5)
    record.sights += [see(7, reader="Zoë"), see(9, ONE, TWO, THREE, reader="Zoë")]
    assert find_delay(record, since=0) == pytest.approx(8)
    assert find_delay(record, since=4) == pytest.approx(5)
    assert find_delay(record, since=4, away=["Zoë"]) == 0


def test_what_had_ended_before_one_asked_is_told_late(record: Record) -> None:
    record.tellings.append(Telling("Zoë", 100.1, (THREE,)))
    assert faults(record) == {"late"}


def test_what_was_refused_and_is_there_is_a_ghost(record: Record) -> None:
    record.sights.append(see(5, ONE, TWO, THREE, Line(4, "refused", "Bob", until=100)))
    record.ends.clear()
    assert faults(record) == {"a ghost"}


def test_what_nobody_has_said_is_a_ghost(record: Record) -> None:
    record.tellings.append(Telling("Zoë", 5, (Line(4, "boo", "Bob", until=100),)))
    assert faults(record) == {"a ghost"}


def test_what_was_removed_before_one_asked_and_is_told_is_a_ghost(record: Record) -> None:
    record.removal(asked=5, seq=2).done = 6
    record.ends.clear()
    record.tellings.append(Telling("Mira", 5.5, (TWO,)))
    assert faults(record) == set()
    record.tellings.append(Telling("Mira", 6.5, (TWO,)))
    assert faults(record) == {"a ghost"}


def test_what_was_removed_and_stays_is_a_ghost(record: Record) -> None:
    record.removal(asked=5, seq=2).done = 6
    assert faults(record) == {"a ghost"}


def test_what_is_still_there_of_one_who_was_forgotten_is_a_ghost(record: Record) -> None:
    record.removal(asked=5, author="Ann").done = 6
    record.ends = {"Mira": see(9, TWO, asked=5)}
    assert faults(record) == set()
    record.ends = {"Mira": see(9, ONE, TWO, asked=5)}
    assert faults(record) == {"a ghost"}


def test_what_was_acknowledged_and_is_missing_at_the_end_is_lost(record: Record) -> None:
    record.ends = {name: see(9, ONE, TWO, reader=name, asked=0.1) for name in ("Mira", "Zoë")}
    assert faults(record) == {"lost"}


def test_readers_who_never_come_to_see_the_same_are_apart(record: Record) -> None:
    record.posts["three"].accepted.clear()
    record.ends["Zoë"] = see(9, ONE, TWO, reader="Zoë", asked=0.1)
    assert faults(record) == {"apart"}
