"""The ledger's copy in the warehouse: whole, without what points to personal data, and never lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.errors import LedgerUnreadable
from dlt_pipelines.ledger import AUDIT_SCHEMA, load_ledger
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.stripe_bytes import rows

TEXTS = {"event_id", "kind", "account_id", "actor", "actor_assurance", "reasoning", "body", "prev_hash", "hash"}


def write_ledger(data: Path, events: int) -> Settings:
    """A ledger of `events` rows with the columns of actions' table, in write-ahead mode as actions keeps it."""
    settings = Settings(data)
    settings.ledger.parent.mkdir(parents=True, exist_ok=True)
    settings.ledger.unlink(missing_ok=True)
    with closing(sqlite3.connect(settings.ledger)) as ledger:
        ledger.execute("pragma journal_mode=wal")
        ledger.execute(f"create table event ({', '.join(AUDIT_SCHEMA.names)}, pii_ref)")
        for seq in range(1, events + 1):
            row = {name: f"{name} {seq}" for name in TEXTS} | {"seq": seq, "at_us": 2**53 + seq, "wall_us": seq}
            row |= {"step": 0, "attempt": 0, "livemode": seq % 2, "amount_minor": -seq, "pii_ref": "secret"}
            marks = ", ".join("?" * len(row))
            ledger.execute(f"insert into event ({', '.join(row)}) values ({marks})", list(row.values()))
        ledger.commit()
    return settings


def test_every_event_is_copied_exactly_and_a_second_copy_replaces_the_first(tmp_path: Path) -> None:
    load_ledger(write_ledger(tmp_path, 5), print)
    assert load_ledger(write_ledger(tmp_path, 3), print) == 3

    kept = "select seq, at_us, livemode, amount_minor, customer_id, reasoning from raw_ledger.audit_log order by seq"
    assert rows(tmp_path, kept)[:2] == [
        (1, 2**53 + 1, True, -1, None, "reasoning 1"),
        (2, 2**53 + 2, False, -2, None, "reasoning 2"),
    ]
    types = dict(rows(tmp_path, "select column_name, data_type from duckdb_columns() where table_name = 'audit_log'"))
    assert "pii_ref" not in types
    assert (types["livemode"], types["at_us"], types["wall_us"]) == ("BOOLEAN", "BIGINT", "BIGINT")


def test_a_ledger_from_before_events_named_their_source_is_copied_without_it(tmp_path: Path) -> None:
    settings = write_ledger(tmp_path, 2)
    with closing(sqlite3.connect(settings.ledger)) as ledger:
        ledger.execute("alter table event drop column source_event_id")
    assert load_ledger(settings, print) == 2
    assert rows(tmp_path, "select seq, source_event_id, hash from raw_ledger.audit_log order by seq") == [
        (1, None, "hash 1"),
        (2, None, "hash 2"),
    ]


def test_without_a_ledger_the_table_is_there_and_empty(tmp_path: Path) -> None:
    assert load_ledger(Settings(tmp_path), print) == 0
    assert rows(tmp_path, "select count(*) from raw_ledger.audit_log") == [(0,)]


def test_a_ledger_that_got_lost_does_not_take_its_copy_along(tmp_path: Path) -> None:
    settings = write_ledger(tmp_path, 4)
    load_ledger(settings, print)
    settings.ledger.unlink()
    said: list[str] = []

    assert load_ledger(settings, said.append) == 4
    assert "4 audit rows loaded from it before are kept" in said[0]


def test_a_file_that_is_no_ledger_is_refused_and_the_copy_stays(tmp_path: Path) -> None:
    settings = write_ledger(tmp_path, 4)
    load_ledger(settings, print)
    for broken in (b"not a database at all" * 100, b""):
        settings.ledger.write_bytes(broken)
        with pytest.raises(LedgerUnreadable, match=r"ledger\.sqlite could not be read as the ledger"):
            load_ledger(settings, print)
    assert rows(tmp_path, "select count(*) from raw_ledger.audit_log") == [(4,)]


def test_the_copy_is_made_while_actions_has_the_ledger_open(tmp_path: Path) -> None:
    settings = write_ledger(tmp_path, 2)
    with closing(sqlite3.connect(settings.ledger)) as runner:
        runner.execute("begin immediate")
        assert load_ledger(settings, print) == 2
    assert duckdb.connect(str(settings.warehouse)).execute("select count(*) from raw_ledger.audit_log").fetchone() == (
        2,
    )
