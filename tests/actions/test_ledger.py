"""The ledger refuses to be changed, and tells when it was."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

import pytest

from actions.chain import Head, check_chain, event_hash, write_head
from actions.errors import LedgerAltered, NothingToDo, WrongAccount
from actions.ledger import COLUMNS, open_or_create
from tests.actions.conftest import Desk, credit, upgrade

NAMES = ", ".join(COLUMNS)
GUARDS = ("no_update", "no_delete", "no_replace")


def raw(desk: Desk) -> sqlite3.Connection:
    return sqlite3.connect(desk.settings.ledger, isolation_level=None)


def unguarded(desk: Desk) -> sqlite3.Connection:
    """As somebody who means harm: DROP TRIGGER is possible, which is what the chain is for."""
    db = raw(desk)
    for guard in GUARDS:
        db.execute(f"DROP TRIGGER {guard}")
    return db


@pytest.fixture
def used(desk: Desk) -> Desk:
    desk.approved(credit(), upgrade())
    desk.apply(send=False)
    desk.apply()
    return desk


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET amount_minor = 1 WHERE seq = 2",
        "DELETE FROM event WHERE seq = 2",
        "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 2",
        "REPLACE INTO event SELECT * FROM event WHERE kind = 'intent'",
    ],
)
def test_a_row_can_be_neither_changed_nor_removed_nor_replaced(used: Desk, statement: str) -> None:
    with raw(used) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    used.kinds()


@pytest.mark.parametrize("kind", ["intent", "outcome", "approved"])
def test_a_claim_cannot_be_replaced_through_its_partial_index(used: Desk, kind: str) -> None:
    db = raw(used)
    row = dict(zip(COLUMNS, db.execute(f"SELECT {NAMES} FROM event WHERE kind = ?", (kind,)).fetchone(), strict=True))
    row |= {"seq": 1_000, "event_id": "another", "hash": "another"}
    marks = ", ".join("?" * len(row))
    with pytest.raises(sqlite3.IntegrityError, match="duplicate claim"):
        db.execute(f"INSERT OR REPLACE INTO event ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def test_every_changed_field_of_every_row_is_found(used: Desk) -> None:
    rows = raw(used).execute(f"SELECT {NAMES} FROM event ORDER BY seq").fetchall()
    assert check_chain(rows) == len(rows) > 10
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            other = value + 1 if isinstance(value, int) else f"{value}x"
            forged = (*row[:column], other, *row[column + 1 :])
            with pytest.raises(LedgerAltered):
                check_chain([*rows[:index], forged, *rows[index + 1 :]])


def flip_a_field(db: sqlite3.Connection) -> None:
    db.execute("UPDATE event SET amount_minor = 999999 WHERE kind = 'outcome'")


def delete_a_row(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM event WHERE seq = 4")


def cut_the_tail(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM event WHERE seq > 5")


def swap_two_rows(db: sqlite3.Connection) -> None:
    db.execute("UPDATE event SET seq = -1 WHERE seq = 4")
    db.execute("UPDATE event SET seq = 4 WHERE seq = 5")
    db.execute("UPDATE event SET seq = 5 WHERE seq = -1")


def chain_anew(db: sqlite3.Connection) -> None:
    """A forger who knows the algorithm: every later hash fits again, only the head does not."""
    db.execute("UPDATE event SET actor = 'mallory' WHERE seq = 4")
    previous = db.execute("SELECT hash FROM event WHERE seq = 3").fetchone()[0]
    for row in db.execute(f"SELECT {NAMES} FROM event WHERE seq > 3 ORDER BY seq").fetchall():
        previous, before = event_hash([*row[:-2], previous]), previous
        db.execute("UPDATE event SET prev_hash = ?, hash = ? WHERE seq = ?", (before, previous, row[0]))


@pytest.mark.parametrize("harm", [flip_a_field, delete_a_row, cut_the_tail, swap_two_rows, chain_anew])
def test_harm_done_behind_the_guards_is_found_and_stops_every_command(
    used: Desk, harm: Callable[[sqlite3.Connection], None]
) -> None:
    db = unguarded(used)
    harm(db)
    db.close()
    with pytest.raises(LedgerAltered):
        used.kinds()
    with pytest.raises(LedgerAltered):
        used.apply()


def test_a_missing_head_and_a_missing_ledger_are_found(used: Desk) -> None:
    kept = used.settings.head.read_text()
    used.settings.head.unlink()
    with pytest.raises(LedgerAltered, match="missing"):
        used.kinds()
    used.settings.head.write_text(kept)
    used.settings.ledger.unlink()
    with pytest.raises(LedgerAltered, match="gone"):
        used.plan()


def test_an_old_copy_of_the_ledger_is_not_acted_on(desk: Desk) -> None:
    desk.approved(credit())
    db = raw(desk)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    old = desk.settings.ledger.read_bytes()
    desk.apply()
    for path in desk.settings.ledger.parent.glob("ledger.sqlite-*"):
        path.unlink()
    desk.settings.ledger.write_bytes(old)
    with pytest.raises(LedgerAltered, match="old copy"):
        desk.apply()
    assert sum(desk.world.effects.values()) == 1


def test_a_ledger_ahead_of_its_head_is_what_a_kill_leaves_and_is_accepted(used: Desk) -> None:
    ledger = used.ledger()
    [before] = ledger.query("SELECT seq, hash FROM event WHERE seq = ?", ledger.last().seq - 1)
    write_head(used.settings.head, Head(*before), is_forced=True)
    assert used.kinds()[-1] == "outcome"


def test_times_never_go_backwards_though_the_clock_does(desk: Desk) -> None:
    desk.publish(credit())
    (planned, _), *_ = desk.plan().new
    desk.now_us -= 3_600_000_000
    desk.approve(planned)
    ledger = desk.ledger()
    times = [event.at_us for event in ledger.events()]
    assert times == sorted(times)
    assert ledger.events()[-1].wall_us < ledger.events()[-2].wall_us


def test_the_ledger_belongs_to_one_account(desk: Desk) -> None:
    with pytest.raises(NothingToDo):
        desk.ledger()
    desk.publish(credit())
    desk.plan()
    with pytest.raises(WrongAccount):
        open_or_create(desk.settings.ledger, desk.settings.head, desk.clock, "acct_other", False, "ada")


def test_nobody_else_may_read_the_ledger(used: Desk) -> None:
    assert used.settings.ledger.stat().st_mode & 0o077 == 0
    assert used.settings.ledger.parent.stat().st_mode & 0o077 == 0


def test_no_name_from_the_warehouse_is_in_the_ledger(used: Desk) -> None:
    ledger = used.ledger()
    everything = json.dumps([vars(event) for event in ledger.events()])
    assert "Lovelace" not in everything
    assert "rk_test" not in everything
