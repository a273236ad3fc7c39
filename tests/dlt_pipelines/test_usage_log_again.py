"""Usage logs: what lands once and only once, within a file, across files, in later runs and from a log that grew."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.usage_log import passes, shapes
from tests.commands import dbt
from tests.dlt_pipelines.usage_logs import DAY, WRITERS, Logs, Row, as_csv, as_jsonl, as_parquet, event


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "data")


def made_up(rng: random.Random, count: int) -> list[Row]:
    """Rows of which many share an identifier, with the same content or another, and some are bad."""
    rows = []
    for _ in range(count):
        row = event(f"id{rng.randrange(count)}", str(rng.choice([1, 1, 1, "1.0", 2])))
        chance = rng.random()
        if chance < 0.03:
            row |= {"identifier": None, "customer": f"cus_{rng.randrange(9)}"}
        elif chance < 0.06:
            row |= {"value": rng.choice(["", "x", "1e-20"])}
        rows.append(row)
    return rows


class Oracle:
    """The rules of docs/usage-log.md, one row after the other."""

    def __init__(self) -> None:
        self.landed: dict[str, float] = {}
        self.refused: list[tuple[str, int, str]] = []  # file, row number, reason
        self.counts: list[Counter[str]] = []

    def land(self, name: str, rows: list[Row]) -> None:
        counts: Counter[str] = Counter()
        for number, row in enumerate(rows, start=1):
            identifier, value = row["identifier"], str(row["value"])
            reasons = {"": "missing_value", "x": "value_not_a_number", "1e-20": "value_too_many_digits"}
            reason = "missing_identifier" if not identifier else reasons.get(value, "")
            if not reason and identifier in self.landed:
                reason = "" if self.landed[identifier] == float(value) else "conflict"
                counts["duplicate" if not reason else "conflict"] += 1
            elif reason:
                counts["bad"] += 1
            else:
                counts["landed"] += 1
                self.landed[identifier] = float(value)
            if reason:
                self.refused.append((name, number, reason))
        self.counts.append(counts)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_many_files_over_three_runs_land_what_reading_row_by_row_would(
    logs: Logs, tmp_path: Path, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "MARKS_AT_ONCE", 700)  # several parts
    monkeypatch.setattr(shapes, "BATCH_FILES", 2)  # and several transactions
    rng, oracle = random.Random(f"{kind}{seed}"), Oracle()  # noqa: S311 - made-up rows
    for run in range(3):
        folder = tmp_path / f"run{run}"
        folder.mkdir()
        for part in range(3):
            rows = made_up(rng, 500)
            oracle.land(f"run{run}/{part}", rows)
            WRITERS[kind](rows, folder / f"{part}.{kind}")
        logs.land(folder)
    values = {identifier: float(row[2]) for identifier, row in logs.events().items()}
    assert values == oracle.landed
    refused = logs.ask("select path, row_number, reason from raw_usage.quarantine")
    names = [("/".join(Path(path).with_suffix("").parts[-2:]), number, reason) for path, number, reason in refused]
    assert sorted(names) == sorted(oracle.refused)
    wanted = [(c.total(), c["landed"], c["duplicate"], c["conflict"], c["bad"]) for c in oracle.counts]
    assert logs.files() == wanted


def test_rows_keep_their_numbers_in_a_file_that_is_read_in_parallel(logs: Logs, tmp_path: Path) -> None:
    """Half a million rows are several buffers of text and several row groups."""
    file = tmp_path / "log.csv"
    bad = [3, 122_880, 122_881, 299_999, 499_998]
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select md5(range::varchar) as identifier, 'calls' as event_name, 'cus_1' as customer,"
            f" {DAY} as timestamp, case when range + 1 in {tuple(bad)} then 'no' else '1' end as value"
            f" from range(500000)) to '{file}' (header)"
        )
    logs.land(file)
    assert logs.quarantine() == [(number, "value_not_a_number") for number in bad]
    assert logs.files() == [(500_000, 499_995, 0, 0, 5)]


def test_the_first_of_two_rows_with_one_identifier_stays_and_the_other_is_a_conflict(
    logs: Logs, tmp_path: Path
) -> None:
    file = as_csv([event("a", "1"), event("a", "2"), event("a", "1.0")], tmp_path / "log.csv")
    summary = logs.land(file)
    assert logs.events()["a"][2] == "1"
    assert logs.ask("select row_number, reason, raw ->> '$.value' from raw_usage.quarantine") == [(2, "conflict", "2")]
    assert "1 landed, 1 duplicates, 1 conflicts, 0 quarantined" in summary


def test_a_landed_file_is_skipped_also_under_another_name_and_read_again_on_request(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a"), event(None)], tmp_path / "log.csv")
    logs.land(file)
    moved = file.rename(tmp_path / "old.csv")
    assert "0 files read, 1 skipped" in logs.land(moved)
    assert logs.said == [f"{moved}: landed before, skipped"]
    logs.land(moved, again=True)
    assert logs.files() == [(2, 1, 0, 0, 1), (2, 0, 1, 0, 1)]


@pytest.mark.parametrize("writer", [as_csv, as_jsonl])
def test_a_log_that_grew_lands_what_is_new_and_quarantines_its_bad_rows_once(
    logs: Logs, tmp_path: Path, writer: type
) -> None:
    rows = [event("a"), event(None), event("b")]
    file = writer(rows, tmp_path / ("log.csv" if writer is as_csv else "log.jsonl"))
    logs.land(file)
    writer([*rows, event("c"), event("c", "7"), event("")], file)
    logs.land(file)
    assert set(logs.events()) == {"a", "b", "c"}
    assert logs.quarantine() == [(2, "missing_identifier"), (5, "conflict"), (6, "missing_identifier")]
    assert logs.files()[1] == (6, 1, 2, 1, 2)


def test_a_row_that_was_in_the_future_lands_when_its_file_is_read_again(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a", timestamp="9790000000")], tmp_path / "log.csv")
    logs.land(file)
    assert logs.events() == {}
    logs.execute(
        "create schema raw_stripe", "create table raw_stripe.load_report as select timestamp '2290-01-01' as loaded_at"
    )
    logs.land(file, again=True)
    assert set(logs.events()) == {"a"}


def test_the_order_of_files_given_decides_which_of_two_rows_is_first(logs: Logs, tmp_path: Path) -> None:
    late, early = (
        as_parquet([event("a", value)], tmp_path / f"{name}.parquet") for name, value in (("z", "1"), ("b", "2"))
    )
    logs.land(late, early)
    assert logs.events()["a"][2] == "1"


def test_files_of_other_columns_and_kinds_land_in_one_run(logs: Logs, tmp_path: Path) -> None:
    as_csv([event("a")], tmp_path / "a.csv")
    as_csv([{"note": "x"} | event("b")], tmp_path / "b.csv")
    as_jsonl([event("c")], tmp_path / "c.jsonl")
    (tmp_path / "deeper").mkdir()
    as_parquet([event("d"), event("a", "5")], tmp_path / "deeper" / "d[1].parquet")
    logs.land(tmp_path)
    assert set(logs.events()) == {"a", "b", "c", "d"}
    assert logs.quarantine() == [(2, "conflict")]


def test_staging_shows_what_landed_and_fails_when_the_books_do_not_hold(logs: Logs, tmp_path: Path) -> None:
    select = ("--select", "staging.usage", "--vars", "{test_every_usage_event: true}")
    logs.land(as_csv([event("a", "1.5"), event("b", "x"), event("a", "1.5")], tmp_path / "log.csv"))
    built = dbt(logs.data, "build", *select)
    assert built.returncode == 0, built.stdout
    assert logs.ask("select identifier, value::varchar from staging.stg_usage__meter_events") == [
        ("a", "1.500000000000")
    ]
    assert logs.ask("select reason, row_count from staging.stg_usage__quarantine") == [("value_not_a_number", 1)]
    logs.execute("insert into raw_usage.meter_events from raw_usage.meter_events")
    wrong = dbt(logs.data, "test", *select)
    assert "usage_events_are_in_the_books" in wrong.stdout
    assert "ERROR=2" in wrong.stdout  # and the identifier occurs twice
