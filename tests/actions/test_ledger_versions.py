"""A ledger that version 1 wrote goes on: its rows keep their hashes, new ones are hashed by the newer rule."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actions.audit import verify
from actions.chain import Head, check_chain, read_head
from actions.clock import Clock
from actions.errors import LedgerAltered, LedgerTooNew
from actions.ledger import COLUMNS, Event, Ledger, open_or_create
from tests.actions.fault_server import ACCOUNT

# As version 1 made it; the real file may move on, this one may not.
VERSION_1 = """
CREATE TABLE event (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, at_us INTEGER NOT NULL, wall_us INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN (
    'genesis', 'planned', 'superseded', 'approved', 'declined', 'expired', 'shadowed', 'refused',
    'intent', 'attempt', 'outcome', 'failed', 'ambiguous', 'reconciled', 'compensated', 'notified',
    'halted', 'resumed', 'mode_changed', 'webhook_seen', 'restored', 'reviewed', 'blocked')),
  recommendation_id TEXT, action_id TEXT, step INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0,
  account_id TEXT NOT NULL, livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)), customer_id TEXT,
  subscription_id TEXT, object_id TEXT, stripe_event_id TEXT, request_id TEXT, idempotency_key TEXT, plan_hash TEXT,
  currency TEXT, amount_minor INTEGER, actor TEXT NOT NULL, actor_assurance TEXT NOT NULL,
  reasoning TEXT NOT NULL CHECK (length(reasoning) BETWEEN 1 AND 4000),
  body TEXT NOT NULL CHECK (json_valid(body) AND length(body) <= 65536), prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX events_of_action ON event (action_id);
CREATE INDEX intents_of_customer ON event (customer_id) WHERE kind = 'intent';
CREATE UNIQUE INDEX one_intent ON event (action_id, step, attempt) WHERE kind = 'intent';
CREATE UNIQUE INDEX one_outcome ON event (action_id, step) WHERE kind IN ('outcome', 'reconciled');
CREATE UNIQUE INDEX one_approval ON event (plan_hash, actor) WHERE kind = 'approved';
CREATE UNIQUE INDEX one_webhook ON event (stripe_event_id) WHERE kind = 'webhook_seen';
CREATE TRIGGER no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'append-only'); END;
PRAGMA user_version = 1;
"""
NOTED = Event(kind="notified", account_id=ACCOUNT, actor="ada", actor_assurance="os_user", reasoning="So it is.")


def old_rows(count: int) -> list[list[Any]]:
    """Rows as version 1 had them: 26 columns, hashed in their order."""
    rows: list[list[Any]] = []
    before = "h1:" + "0" * 64
    for seq in range(1, count + 1):
        kind, body = ("genesis", '{"schema_version":1}') if seq == 1 else ("notified", f'{{"n":{seq}}}')
        row = [seq, f"event-{seq}", seq, seq, kind, None, f"h1:{seq}", 0, 0, ACCOUNT, 0, None, None, None, None, None]
        row += [None, None, "usd", seq, "ada", "os_user", "It was so.", body, before]
        text = json.dumps(row, separators=(",", ":")).encode()
        before = "h1:" + hashlib.sha256(text).hexdigest()
        rows.append([*row, before])
    return rows


@pytest.fixture
def old(quick_path: Path) -> Path:
    """The state folder of version 1: ten events, and the head as JSON."""
    for name in ("ledger", "ledger-head"):
        (quick_path / name).mkdir(mode=0o700)
    rows = old_rows(10)
    with closing(sqlite3.connect(quick_path / "ledger" / "ledger.sqlite")) as db:
        db.executescript(VERSION_1)
        db.executemany(f"INSERT INTO event VALUES ({', '.join('?' * 26)})", rows)
        db.commit()
    (quick_path / "ledger-head" / "head.json").write_text(json.dumps({"seq": 10, "hash": rows[-1][-1]}))
    return quick_path


def opened(data: Path) -> Ledger:
    return Ledger(data / "ledger" / "ledger.sqlite", data / "ledger-head" / "head.json", Clock())


def layout(data: Path) -> list[tuple[Any, ...]]:
    return opened(data).query("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2")


def test_a_version_1_ledger_is_read_as_it_is(old: Path) -> None:
    before = (old / "ledger" / "ledger.sqlite").read_bytes()
    ledger = opened(old)
    assert verify(ledger) == 10
    assert [(event.seq, event.source_event_id) for event in ledger.events("h1:7")] == [(7, None)]
    ledger.close()
    with closing(sqlite3.connect(old / "ledger" / "ledger.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert len((old / "ledger" / "ledger.sqlite").read_bytes()) == len(before)


def test_the_first_write_brings_it_to_version_2_and_keeps_every_old_hash(old: Path, tmp_path: Path) -> None:
    ledger = opened(old)
    with ledger.write():
        ledger.append(Event(**vars(NOTED) | {"source_event_id": "an_1"}))
    rows = list(ledger.rows())
    assert [row[-1] for row in rows[:10]] == [row[-1] for row in old_rows(10)]
    assert rows[10][-1].startswith("h2:")
    assert rows[10][COLUMNS.index("source_event_id")] == "an_1"
    assert verify(opened(old)) == 11
    assert read_head(ledger.head_path) == Head(11, rows[10][-1])

    fresh = open_or_create(tmp_path / "ledger" / "ledger.sqlite", tmp_path / "ledger-head" / "head.json", Clock(),
                           ACCOUNT, False, "ada")  # fmt: skip
    fresh.close()
    missing = {("trigger", "no_replace")}  # the old file of this test is without that one
    assert set(layout(old)) == set(layout(tmp_path)) - missing


def test_a_migration_that_is_killed_leaves_version_1(old: Path) -> None:
    ledger = opened(old)

    def die(name: str) -> None:
        raise KeyboardInterrupt

    ledger.point = die
    with pytest.raises(KeyboardInterrupt), ledger.write():
        ledger.append(NOTED)
    ledger.close()
    assert verify(opened(old)) == 10
    assert ("index", "events_of_kind") not in layout(old)


def test_the_newer_hash_covers_the_new_column_and_the_older_one_is_not_taken_again(old: Path) -> None:
    ledger = opened(old)
    for number in range(3):
        with ledger.write():
            ledger.append(Event(**vars(NOTED) | {"source_event_id": f"an_{number}"}))
    rows = list(ledger.rows())
    assert check_chain(rows) == 13
    at = COLUMNS.index("source_event_id")
    for number in (3, 11):  # given to a row of version 1; changed in one of version 2
        forged = [*rows[number][:at], "an_9", *rows[number][at + 1 :]]
        with pytest.raises(LedgerAltered, match=f"event {number + 1} was altered"):
            check_chain([*rows[:number], tuple(forged), *rows[number + 1 :]])
    body = [value for index, value in enumerate(rows[12][:-1]) if index != at]
    old_hash = "h1:" + hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()
    without = (*rows[12][:at], None, rows[12][-2], old_hash)
    with pytest.raises(LedgerAltered, match="the chain is broken there"):
        check_chain([*rows[:12], without])


def test_a_ledger_of_a_later_version_is_refused(old: Path) -> None:
    with closing(sqlite3.connect(old / "ledger" / "ledger.sqlite")) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(LedgerTooNew, match="has version 3, this program knows 2"):
        opened(old)


def test_a_torn_slot_of_the_head_leaves_the_other_and_a_torn_file_is_refused(old: Path) -> None:
    ledger = opened(old)
    for _ in range(2):
        with ledger.write():
            ledger.append(NOTED)
    raw = ledger.head_path.read_bytes()
    assert len(raw) == 1024
    for cut in range(0, 1024, 64):
        torn = bytearray(raw)
        torn[cut : cut + 40] = b"\0" * 40
        ledger.head_path.write_bytes(torn)
        head = read_head(ledger.head_path)
        assert head is not None
        assert head.seq in (11, 12)
    ledger.head_path.write_bytes(b"{" + raw[1:512].replace(b"2", b"3") + b"{")
    with pytest.raises(LedgerAltered, match="not a head file"):
        opened(old)
