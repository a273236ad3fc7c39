"""The ledger in the warehouse: the same rows however often it is built anew, and a test that tells what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from actions.audit import recover
from actions.ledger import COLUMNS, Ledger, create
from actions.settings import Settings as ActionSettings
from dlt_pipelines.ledger import load_ledger
from dlt_pipelines.settings import Settings
from tests.actions.conftest import ME, Desk, credit, upgrade
from tests.actions.fault_server import World
from tests.actions.harness import MemoryDesk
from tests.commands import dbt

SCHEMA_OF = {"stg_action_ledger__events": "staging", "action_audit": "marts", "int_actions_executed": "intermediate"}
CHECK = "action_audit_holds_together"


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models' and the test's SQL as dbt compiles it."""
    folder = tmp_path_factory.mktemp("compiled_audit")
    done = dbt(folder, "compile", "--select", *SCHEMA_OF, CHECK, "--threads", "1")
    assert done.returncode == 0, done.stdout
    nodes = json.loads((folder / "dbt" / "manifest.json").read_text())["nodes"]
    kinds = dict.fromkeys(SCHEMA_OF, "model") | {CHECK: "test"}
    return {name: str(nodes[f"{kind}.meterwise.{name}"]["compiled_code"]) for name, kind in kinds.items()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two actions that are done and one that is planned."""
    settings = ActionSettings(tmp_path / "data", api_base="http://127.0.0.1:1", timeout_s=10, writes_per_second=0)
    desk = MemoryDesk(settings, World())
    desk.approved(credit(source_event_id="an_spike"), upgrade())
    desk.apply()
    desk.publish(credit())
    desk.plan()
    return desk


def load(desk: Desk) -> None:
    load_ledger(Settings(desk.settings.data), print)


def build(data: Path, sql: dict[str, str]) -> duckdb.DuckDBPyConnection:
    """The models on the warehouse of `data`, with Stripe's own tables empty."""
    con = duckdb.connect(str(data / "warehouse.duckdb"))
    for schema in (*SCHEMA_OF.values(), "raw_stripe", "raw_usage"):
        con.execute(f"create schema if not exists {schema}")
    text = "account_id varchar, idempotency_key varchar, balance_transaction_id varchar, created_at timestamp"
    for table in ("stg_stripe__events", "stg_stripe__customer_balance_transactions"):
        con.execute(f"create table if not exists staging.{table} ({text})")
    for name, schema in SCHEMA_OF.items():
        con.execute(f"create or replace table {schema}.{name} as {sql[name]}")
    return con


def content(con: duckdb.DuckDBPyConnection) -> Any:
    return con.execute("select count(*), bit_xor(hash(a)) from marts.action_audit a").fetchone()


def test_with_only_what_was_loaded_from_stripe_left_the_audit_comes_back_the_same(
    desk: Desk, sql: dict[str, str]
) -> None:
    data = desk.settings.data
    load(desk)
    con = build(data, sql)
    before = content(con)
    ledger = desk.ledger()
    told = con.execute("select seq, hash, body, source_event_id from marts.action_audit order by seq").fetchall()
    assert told == ledger.query("SELECT seq, hash, body, source_event_id FROM event ORDER BY seq")
    assert {row[3] for row in told} == {None, "an_spike"}
    schemas = con.execute(
        "select schema_name from duckdb_schemas() where database_name = 'warehouse' and not internal"
        " and schema_name not in ('raw_stripe', 'raw_usage', 'main')"
    ).fetchall()
    assert {"raw_ledger", "marts"} <= {name for (name,) in schemas}
    for (name,) in schemas:
        con.execute(f"drop schema {name} cascade")
    con.close()
    load(desk)
    con = build(data, sql)
    assert content(con) == before
    con.close()


def wrong(con: duckdb.DuckDBPyConnection, sql: dict[str, str]) -> list[tuple[int, str]]:
    con.execute(f"create or replace table marts.action_audit as {sql['action_audit']}")
    found: list[tuple[int, str]] = con.execute(f"select seq, what from ({sql[CHECK]}) order by seq").fetchall()
    return found


@pytest.fixture
def built(desk: Desk, sql: dict[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    load(desk)
    with build(desk.settings.data, sql) as con:
        assert wrong(con, sql) == []
        yield con


def first(con: duckdb.DuckDBPyConnection, kind: str) -> int:
    row = con.execute("select min(seq) from staging.stg_action_ledger__events where kind = ?", [kind]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("statement", "at", "what"),
    [
        ("delete from {t} where seq = 1", "second", "does not follow the event before it"),
        ("update {t} set prev_hash = 'h2:0' where seq = 2", "second", "does not follow the event before it"),
        ("update {t} set kind = 'notified' where seq = {intent}", "outcome", "has no intent before it"),
        ("update {t} set plan_hash = 'h1:0' where seq = {approved}", "intent", "has too few approvals"),
        ("update {t} set actor_assurance = 'stated' where kind = 'approved'", "intent", "has too few approvals"),
        ("update {t} set actor_assurance = 'service' where kind = 'approved'", "intent", "has too few approvals"),
        (
            "update {t} set body = '{{\"expires_us\": 1}}' where seq = {approved}",
            "intent",
            "has too few approvals",
        ),
        ("update {t} set body = '{{\"needed\": 2}}' where seq = {intent}", "intent", "has too few approvals"),
    ],
)
def test_what_the_ledger_should_not_hold_is_told_by_its_event(
    built: duckdb.DuckDBPyConnection, sql: dict[str, str], statement: str, at: str, what: str
) -> None:
    seqs = {kind: first(built, kind) for kind in ("intent", "outcome", "approved")} | {"second": 2}
    built.execute(statement.format(t="staging.stg_action_ledger__events", **seqs))
    found = wrong(built, sql)
    assert found[0] == (seqs[at], what)


def test_what_was_recovered_from_stripe_needs_no_intent(desk: Desk, sql: dict[str, str]) -> None:
    for path in desk.settings.ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    create(desk.settings.ledger)
    ledger = Ledger(desk.settings.ledger, desk.settings.head, desk.clock, despite_damage=True)
    assert recover(ledger, desk.port(send=False), ME) == 2
    load(desk)
    with build(desk.settings.data, sql) as con:
        assert wrong(con, sql) == []
        done = con.execute("select action_id, kind from intermediate.int_actions_executed").fetchall()
        assert {kind for _, kind in done} == {None}
        assert len(done) == 2


def test_an_action_is_carried_out_when_its_last_step_is_and_a_decision_when_it_is_recorded(
    built: duckdb.DuckDBPyConnection, sql: dict[str, str]
) -> None:
    def executed() -> list[tuple[Any, ...]]:
        query = f"select action_id, step, object_id, undone_at from ({sql['int_actions_executed']}) order by action_id"
        return built.execute(query).fetchall()

    def event(seq: int, kind: str, action: str, step: int, body: dict[str, Any], made: str | None = None) -> None:
        known = {"seq": seq, "event_id": str(seq), "kind": kind, "action_id": action, "step": step, "attempt": 0}
        known |= {
            "account_id": "a",
            "recommendation_id": action,
            "object_id": made,
            "hash": str(seq),
            "body": json.dumps(body),
        }
        assert set(known) <= set(COLUMNS)
        values = ", ".join("?" * len(known))
        built.execute(
            f"insert into staging.stg_action_ledger__events ({', '.join(known)}) values ({values})",
            list(known.values()),
        )

    before = len(executed())
    event(100, "planned", "quote", 0, {"steps": [{"path": "/v1/quotes"}, {"path": "/v1/quotes/{0}/finalize"}]})
    event(101, "intent", "quote", 0, {"method": "post"})
    event(102, "outcome", "quote", 0, {}, "qt_1")
    assert len(executed()) == before
    event(103, "intent", "quote", 1, {"method": "post"})
    event(104, "outcome", "quote", 1, {}, "qt_1")
    event(105, "intent", "talk", 0, {"method": "record"})
    event(106, "outcome", "talk", 0, {})
    assert [row[:3] for row in executed() if row[0] in ("quote", "talk")] == [
        ("quote", 1, "qt_1"),
        ("talk", 0, None),
    ]
    event(107, "compensated", "quote", 0, {})
    built.execute("update staging.stg_action_ledger__events set recorded_at = '2026-11-02' where seq = 107")
    [undone] = [row[3] for row in executed() if row[0] == "quote"]
    assert undone.isoformat() == "2026-11-02T00:00:00"
