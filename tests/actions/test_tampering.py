"""Whatever is done to a ledger of fifty events behind its back is found, in its rows and in its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actions import audit
from actions.chain import BEFORE_FIRST, RULE_1, RULE_2, check_chain, event_hash
from actions.errors import ActionError, LedgerAltered, LedgerBehind
from actions.ledger import COLUMNS
from tests.actions.conftest import Desk, credit
from tests.actions.harness import Start, laid, seeded

Row = tuple[Any, ...]
GUARDS = ("no_update", "no_delete", "no_replace")
EVENTS = 50
FLIPS_IN_FILE = 400


@pytest.fixture
def start(memory_desk: Desk) -> Start:
    memory_desk.approved(*(credit(source_event_id="inc_1") for _ in range(9)))
    memory_desk.apply(send=False)
    memory_desk.apply()
    return Start(memory_desk)


@pytest.fixture
def rows(start: Start) -> list[Row]:
    ledger = start.desk.ledger()
    found = list(ledger.rows())
    ledger.close()
    assert len(found) >= EVENTS
    return found[:EVENTS]


def grown_old(rows: list[Row], count: int) -> list[Row]:
    """The same events, the first `count` of them written by version 1 of the schema."""
    previous, made = BEFORE_FIRST, []
    for number, row in enumerate(rows):
        source = None if number < count else row[-3]
        kept = [*row[:-3], source, previous]
        previous = event_hash(kept, RULE_1 if number < count else RULE_2)
        made.append((*kept, previous))
    return made


def flips(value: Any) -> Iterator[Any]:
    """Every value that differs in one byte, and the values that SQLite may put in its place."""
    if value is None:
        yield from ("", 0, "x")
    elif isinstance(value, int):
        yield from (value ^ (1 << bit) for bit in range(0, 63, 7))
        yield None
    else:
        yield from (value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in range(len(value)))
        yield from (value + "x", value[:-1], None)


def is_found(rows: list[Row], at: int, forged: list[Row], last_hash: str) -> bool:
    """Whether the chain from the place of the forgery, or the head at its end, tells."""
    before = rows[at - 1][-1] if at else BEFORE_FIRST
    rest = [*forged, *rows[at + len(forged) : at + len(forged) + 1]]
    try:
        check_chain(rest, at, before)
    except LedgerAltered:
        return True
    return at + len(forged) == len(rows) and rest[-1][-1] != last_hash


@pytest.mark.parametrize("old", [0, 20, EVENTS])
def test_every_byte_of_every_field_of_every_event_counts(rows: list[Row], old: int) -> None:
    rows = grown_old(rows, old)
    assert check_chain(rows) == EVENTS
    tried, missed = 0, []
    for at, row in enumerate(rows):
        for column, value in enumerate(row):
            for other in flips(value):
                tried += 1
                if not is_found(rows, at, [(*row[:column], other, *row[column + 1 :])], rows[-1][-1]):
                    missed.append((at, COLUMNS[column], other))
    print(f"{tried} flips")
    assert missed == []
    assert tried > 20_000


def test_every_swap_and_every_gap_is_found(rows: list[Row]) -> None:
    for one in range(EVENTS):
        with pytest.raises(LedgerAltered):
            check_chain([*rows[:one], *rows[one + 1 :], rows[0]])
        for other in range(one + 1, EVENTS):
            swapped = list(rows)
            swapped[one], swapped[other] = rows[other], rows[one]
            with pytest.raises(LedgerAltered):
                check_chain(swapped)
            # With their numbers put right as well.
            swapped[one], swapped[other] = (one + 1, *rows[other][1:]), (other + 1, *rows[one][1:])
            with pytest.raises(LedgerAltered):
                check_chain(swapped)


def test_a_row_of_the_new_rule_is_never_followed_by_one_of_the_old(rows: list[Row]) -> None:
    """Else a forger could leave a column out of the hash."""
    first, second = rows[0], rows[1]
    weaker = [*second[:-3], None, first[-1]]
    forged = (*weaker, event_hash(weaker, RULE_1))
    with pytest.raises(LedgerAltered):
        check_chain([first, forged])


def unguarded(desk: Desk) -> sqlite3.Connection:
    db = sqlite3.connect(desk.settings.ledger, isolation_level=None)
    for guard in GUARDS:
        db.execute(f"DROP TRIGGER {guard}")
    return db


def test_every_cut_of_the_tail_is_found_by_the_head(start: Start, quick_path: Path) -> None:
    for kept in range(EVENTS):
        with laid(start, quick_path) as desk:
            db = unguarded(desk)
            db.execute("DELETE FROM event WHERE seq > ?", (kept,))
            db.close()
            with pytest.raises(LedgerBehind):
                desk.ledger()


def test_every_column_of_the_table_is_guarded_by_its_hash(start: Start, quick_path: Path) -> None:
    random = seeded("columns")
    for column in COLUMNS:
        with laid(start, quick_path) as desk:
            db = unguarded(desk)
            seq = random.randrange(2, EVENTS)
            [(value,)] = db.execute(f"SELECT {column} FROM event WHERE seq = ?", (seq,))
            other = value + 1_000 if isinstance(value, int) else "[1]" if column == "body" else f"{value}x"
            db.execute("PRAGMA ignore_check_constraints = 1")
            db.execute(f"UPDATE event SET {column} = ? WHERE seq = ?", (other, seq))
            db.close()
            with pytest.raises(LedgerAltered):
                audit.verify(desk.ledger())


def test_a_chain_computed_anew_from_any_event_on_is_found_by_the_head(start: Start, quick_path: Path) -> None:
    for first in range(1, EVENTS, 7):
        with laid(start, quick_path) as desk:
            ledger = desk.ledger()
            found, previous = list(ledger.rows("seq >= ?", first)), BEFORE_FIRST
            if first > 1:
                [(previous,)] = ledger.query("SELECT hash FROM event WHERE seq = ?", first - 1)
            ledger.close()
            db = unguarded(desk)
            for row in found:
                kept = [*row[:20], "mallory", *row[21:-2], previous]
                db.execute(
                    "UPDATE event SET actor = 'mallory', prev_hash = ?, hash = ? WHERE seq = ?",
                    (previous, previous := event_hash(kept), row[0]),
                )
            db.close()
            with pytest.raises(LedgerAltered):
                audit.verify(desk.ledger())


def flip(random: Any, raw: bytes) -> bytes:
    at = random.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << random.randrange(8)]) + raw[at + 1 :]


def cut(random: Any, raw: bytes) -> bytes:
    return raw[: random.randrange(len(raw))]


def blank(random: Any, raw: bytes) -> bytes:
    at = random.randrange(0, len(raw), 4096)
    return raw[:at] + bytes(len(raw[at : at + 4096])) + raw[at + 4096 :]


def swap_pages(random: Any, raw: bytes) -> bytes:
    one, other = sorted(random.sample(range(0, len(raw), 4096), 2))
    page, second = raw[one : one + 4096], raw[other : other + 4096]
    return raw[:one] + second + raw[one + 4096 : other] + page + raw[other + 4096 :]


@pytest.mark.parametrize(
    ("part", "damage", "times"),
    [("ledger", flip, FLIPS_IN_FILE), ("ledger", cut, 60), ("ledger", blank, 30), ("ledger", swap_pages, 60),
     ("head", flip, 100), ("head", cut, 30)],
)  # fmt: skip
def test_damage_to_a_file_is_found_or_changes_no_event(
    start: Start, quick_path: Path, part: str, damage: Callable[[Any, bytes], bytes], times: int
) -> None:
    ledger = start.desk.ledger()
    whole = list(ledger.rows())
    ledger.close()
    random, harmless = seeded(f"{part} {damage.__name__}"), 0
    for number in range(times):
        with laid(start, quick_path) as desk:
            path = getattr(desk.settings, part)
            path.write_bytes(damage(random, path.read_bytes()))
            try:
                damaged = desk.ledger()
                audit.verify(damaged)
            except ActionError:
                continue  # a sentence and an exit code; nothing else may come out
            assert list(damaged.rows()) == whole, f"case {number}"
            damaged.close()
            harmless += 1
    print(f"{part} {damage.__name__}: {harmless} of {times} changed no event")
