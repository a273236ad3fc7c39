"""Usage logs: what lands from each kind of file, and why a row does not."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dlt_pipelines.usage_logs import DAY, WRITERS, Logs, Row, as_csv, as_jsonl, as_parquet, event

AT = "2026-09-21 14:13:20"


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "data")


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_the_same_events_land_from_every_kind_of_file(logs: Logs, tmp_path: Path, kind: str) -> None:
    rows = [event("a", "1.10"), event("b", "-3"), event("c", "123456789.123456789012", customer="cus_2")]
    logs.land(WRITERS[kind](rows, tmp_path / f"log.{kind}"))
    assert logs.events() == {
        "a": ("calls", "cus_1", "1.1", AT),
        "b": ("calls", "cus_1", "-3", AT),
        "c": ("calls", "cus_2", "123456789.123456789012", AT),
    }
    assert logs.files() == [(3, 3, 0, 0, 0)]


BAD: list[tuple[Row, str]] = [
    (event(None), "missing_identifier"),
    (event("x", event_name=""), "missing_event_name"),
    (event("x", customer=None), "missing_customer"),
    (event("x", timestamp=None), "missing_timestamp"),
    (event("x", value=None), "missing_value"),
    (event("x", value="12 apples"), "value_not_a_number"),
    (event("x", value="1_000"), "value_not_a_number"),
    (event("x", value="nan"), "value_not_a_number"),
    (event("x", value="0.1234567890123"), "value_too_many_digits"),
    (event("x", value="1e-13"), "value_too_many_digits"),
    (event("x", value="9" * 27), "value_too_many_digits"),
    (event("x", timestamp="yesterday"), "timestamp_not_a_time"),
    (event("x", timestamp="1790000000000"), "timestamp_not_a_time"),
    (event("x", timestamp="infinity"), "timestamp_not_a_time"),
    (event("x", timestamp="2026-02-30T00:00:00Z"), "timestamp_not_a_time"),
    (event("x", timestamp="-1"), "timestamp_before_1970"),
    (event("x", timestamp="9790000000"), "timestamp_in_future"),
]


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_a_bad_row_goes_to_quarantine_with_its_place_its_text_and_the_reason(
    logs: Logs, tmp_path: Path, kind: str
) -> None:
    rows = [row | ({"identifier": f"x{n}"} if row["identifier"] else {}) for n, (row, _) in enumerate(BAD)]
    good = [event(f"good{n}") for n in range(len(rows))]
    mixed = [row for pair in zip(good, rows, strict=True) for row in pair]
    logs.land(WRITERS[kind](mixed, tmp_path / f"log.{kind}"))
    assert logs.quarantine() == [(2 * n + 2, reason) for n, (_, reason) in enumerate(BAD)]
    assert set(logs.events()) == {row["identifier"] for row in good}
    assert logs.files() == [(len(mixed), len(good), 0, 0, len(rows))]
    [(raw,)] = logs.ask("select raw from raw_usage.quarantine where reason = 'timestamp_in_future'")
    assert "9790000000" in raw


def test_what_was_said_holds_no_text_of_a_row(logs: Logs, tmp_path: Path) -> None:
    summary = logs.land(as_csv([event("secret-id", "secret-value", customer="secret-name")], tmp_path / "log.csv"))
    assert "1 × value_not_a_number" in summary
    assert "secret" not in summary + "".join(logs.said)


def test_stripes_own_shape_is_read_from_json(logs: Logs, tmp_path: Path) -> None:
    row = {"event_name": "calls", "identifier": "a", "timestamp": DAY, "livemode": False, "object": "x"}
    logs.land(as_jsonl([row | {"payload": {"stripe_customer_id": "cus_9", "value": "2.50"}}], tmp_path / "log.jsonl"))
    assert logs.events() == {"a": ("calls", "cus_9", "2.5", AT)}


def test_lines_that_are_no_json_are_quarantined_and_blank_ones_are_none(logs: Logs, tmp_path: Path) -> None:
    file = as_jsonl([event("a")], tmp_path / "log.jsonl")
    file.write_text(file.read_text() + '\n{"event_name": "calls", \n[1, 2]\n\n"text"\n')
    logs.land(file)
    assert logs.quarantine() == [(2, "unreadable"), (3, "missing_identifier"), (4, "missing_identifier")]
    assert logs.files() == [(4, 1, 0, 0, 3)]


def test_lines_that_cannot_be_split_are_quarantined_with_their_line(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a"), event("b")], tmp_path / "log.csv")
    file.write_bytes(file.read_bytes() + b"too,few\ncalls,cus_1,1,1790000000,c,d\ncalls,cus_1,1,1790000000,\xff\n")
    logs.land(file)
    rows = logs.ask("select line_number, reason, raw from raw_usage.quarantine order by line_number")
    assert rows[:2] == [(4, "unreadable", "too,few"), (5, "unreadable", "calls,cus_1,1,1790000000,c,d")]
    assert rows[2][:2] == (6, "unreadable")
    assert logs.files() == [(5, 2, 0, 0, 3)]
    logs.land(file, again=True)
    assert len(logs.quarantine()) == 3


@pytest.mark.parametrize(
    ("written", "landed"),
    [
        ("0.1234567890123456789", None),  # a double of it would look fine
        ("99999999999.000005", "99999999999.000005"),
        ("123456789.123456789", "123456789.123456789"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("-0.0", "0"),
        ("12345678901234567890", "12345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ("true", None),
    ],
)
def test_a_json_number_lands_as_it_was_written(logs: Logs, tmp_path: Path, written: str, landed: str | None) -> None:
    file = as_jsonl([event("a")], tmp_path / "log.jsonl")
    file.write_text(file.read_text().replace('"value": "1"', f'"value": {written}'))
    logs.land(file)
    values = [Decimal(value) for (value,) in logs.ask("select value::varchar from raw_usage.meter_events")]
    assert values == ([Decimal(landed)] if landed else [])


@pytest.mark.parametrize(
    ("written", "landed"),
    [
        ("1790000000.25", "2026-09-21 14:13:20.25"),
        ("2026-09-21T14:13:20Z", AT),
        ("2026-09-21T16:13:20+02:00", AT),
        ("2026-09-21 14:13:20", AT),
        ("2026-09-21T14:13:20.123456Z", "2026-09-21 14:13:20.123456"),
        ("0", "1970-01-01 00:00:00"),
    ],
)
def test_times_are_unix_seconds_or_iso_8601_and_land_in_utc(
    logs: Logs, tmp_path: Path, written: str, landed: str
) -> None:
    logs.land(as_csv([event("a", timestamp=written)], tmp_path / "log.csv"))
    assert logs.events()["a"][-1] == landed


@pytest.mark.parametrize(
    ("type_", "value", "landed"),
    [
        ("timestamp with time zone", "timestamptz '2026-09-21 16:13:20+02'", AT),
        ("timestamp_ns", "timestamp '2026-09-21 14:13:20.5'", "2026-09-21 14:13:20.5"),
        ("bigint", str(DAY), AT),
        ("double", "1790000000.5", "2026-09-21 14:13:20.5"),
    ],
)
@pytest.mark.parametrize("number", ["integer '7'", "7.0::decimal(30, 20)", "7::double", "'7.000'::varchar"])
def test_parquet_columns_keep_what_their_types_say(
    logs: Logs, tmp_path: Path, type_: str, value: str, landed: str, number: str
) -> None:
    file = tmp_path / "log.parquet"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            f"copy (select 'calls' as event_name, {{'stripe_customer_id': 'cus_1', 'value': {number}}} as payload,"
            f" cast({value} as {type_}) as timestamp, 5 as identifier) to '{file}'"
        )
    logs.land(file)
    assert logs.events() == {"5": ("calls", "cus_1", "7", landed)}


def test_columns_are_renamed_by_a_setting_also_into_nested_objects(logs: Logs, tmp_path: Path) -> None:
    columns = {"customer": "who.account", "value": "amount", "timestamp": "at", "identifier": "key"}
    row: dict[str, Any] = {"event_name": "calls", "who": {"account": "cus_7"}, "amount": 3, "at": 1_790_000_000_000}
    logs.land(as_jsonl([row | {"key": "k"}], tmp_path / "log.jsonl"), columns=columns, timestamp_unit="ms")
    assert logs.events() == {"k": ("calls", "cus_7", "3", AT)}


def test_a_value_may_be_missing_where_the_meter_counts_events(logs: Logs, tmp_path: Path) -> None:
    meter = '{"event_name": "logins", "default_aggregation": {"formula": "count"}}'
    logs.data.mkdir()
    logs.execute("create schema raw_stripe", f"create table raw_stripe.meters as select '{meter}' as payload")
    rows = [event("a", None, event_name="logins"), event("b", None, event_name="pings"), event("c", None)]
    logs.land(as_csv(rows, tmp_path / "log.csv"), count_events=("pings",))
    assert {identifier: row[2] for identifier, row in logs.events().items()} == {"a": None, "b": None}
    assert logs.quarantine() == [(3, "missing_value")]


def test_an_event_five_minutes_ahead_of_the_newest_clock_lands_and_a_later_one_does_not(
    logs: Logs, tmp_path: Path
) -> None:
    """The sandbox's clock may be ahead of the machine's; the last load tells."""
    stripe = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=40)
    logs.data.mkdir()
    logs.execute(
        "create schema raw_stripe", f"create table raw_stripe.load_report as select timestamp '{stripe}' as loaded_at"
    )
    times = [(stripe + timedelta(minutes=minutes)).isoformat() for minutes in (4, 6)]
    rows = [event("soon", timestamp=times[0]), event("later", timestamp=times[1])]
    logs.land(as_csv(rows, tmp_path / "log.csv"))
    assert set(logs.events()) == {"soon"}
    assert logs.quarantine() == [(2, "timestamp_in_future")]


@pytest.mark.parametrize(("compression", "suffix"), [("gzip", "gz"), ("zstd", "zst")])
def test_compressed_text_is_read_as_it_is(logs: Logs, tmp_path: Path, compression: str, suffix: str) -> None:
    row = f"'calls' as event_name, 'cus_1' as customer, 1 as value, {DAY} as timestamp"
    for kind, how in (("csv", "csv, header"), ("jsonl", "json")):
        file = tmp_path / f"log.{kind}.{suffix}"
        with duckdb.connect() as connection:
            rows = f"select '{kind}' || range as identifier, {row} from range(9)"
            connection.execute(f"copy ({rows}) to '{file}' (format {how}, compression {compression})")
        logs.land(file)
    assert logs.files() == [(9, 9, 0, 0, 0)] * 2


def test_a_csv_may_have_other_delimiters_quotes_windows_lines_and_a_mark_at_its_start(
    logs: Logs, tmp_path: Path
) -> None:
    text = '\ufeffidentifier;"event_name";customer;value;timestamp\r\n"a;1";calls;"cus\n1";1;1790000000\r\n'
    (tmp_path / "log.csv").write_text(text, newline="")
    logs.land(tmp_path / "log.csv")
    assert logs.events() == {"a;1": ("calls", "cus\n1", "1", AT)}


def test_a_file_without_rows_lands_none(logs: Logs, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("identifier,event_name,customer,value,timestamp\n")
    (tmp_path / "b.jsonl").write_text("")
    as_parquet([event("a")], tmp_path / "c.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"copy (from '{tmp_path}/c.parquet' limit 0) to '{tmp_path}/d.parquet'")
    (tmp_path / "c.parquet").unlink()
    logs.land(tmp_path)
    assert logs.files() == [(0, 0, 0, 0, 0)] * 3


def test_gzip_of_two_members_is_one_file(logs: Logs, tmp_path: Path) -> None:
    first = as_csv([event("a")], tmp_path / "first.csv").read_bytes()
    second = as_csv([event("b")], tmp_path / "second.csv").read_bytes().split(b"\n", 1)[1]
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(first) + gzip.compress(second))
    logs.land(tmp_path / "log.csv.gz")
    assert set(logs.events()) == {"a", "b"}
