"""Score files: one Parquet file per run and table, written whole or not at all, never changed afterwards."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

MODEL = {"method": "string", "model_name": "string", "model_version": "string"}
BAND = {"q025": "double", "q10": "double", "q90": "double", "q975": "double"}
RUN = {"run_id": "string", "scored_at": "timestamp"}
BREACH = {"is_breach": "bool", "alert_key": "string", "consequence": "string"}
ROWS_AT_A_TIME = 500_000
# Column order and types are the contract with dbt's `stg_ml__*` models.
TABLES: dict[str, dict[str, str]] = {
    "usage_forecast": {
        **dict.fromkeys(("account_id", "subscription_item_id", "customer_id", "meter_id"), "string"),
        "as_of": "date",
        "forecast_date": "date",
        "horizon": "int32",
        "yhat_mean": "double",
        "yhat_median": "double",
        **BAND,
        "seasonal_naive": "double",
        "weekday_mean": "double",
        "demand_class": "string",
        **MODEL,
        **RUN,
    },
    "usage_paths": {
        **dict.fromkeys(("account_id", "subscription_item_id"), "string"),
        "as_of": "date",
        "is_backtest": "bool",
        "period_start": "timestamp",
        "period_number": "int32",
        "path": "int32",
        "quantity_so_far": "double",
        "path_quantity": "double",
        **MODEL,
        **RUN,
    },
    "churn_risk": {
        "account_id": "string",
        "customer_id": "string",
        "as_of": "date",
        "horizon_days": "int32",
        "treatment": "string",
        **dict.fromkeys(("probability", "baseline_probability"), "double"),
        **dict.fromkeys(("base_margin", "margin", "other_contribution"), "double"),
        "reasons": "string",
        **MODEL,
        **RUN,
    },
    "churn_backtest": {
        "account_id": "string",
        "customer_id": "string",
        "as_of": "date",
        "horizon_days": "int32",
        "probability": "double",
        "is_churned": "bool",
        "model_name": "string",
        "model_version": "string",
        **RUN,
    },
    "revenue_trend": {
        **dict.fromkeys(("account_id", "level", "plan", "currency"), "string"),
        "as_of": "date",
        "months_ahead": "int32",
        "metered_growth": "double",
        **BAND,
        "n": "int32",
        "method": "string",
        "model_version": "string",
        **RUN,
    },
    "model_performance": {
        "model_name": "string",
        "model_version": "string",
        "as_of": "date",
        "metric": "string",
        "segment": "string",
        "value": "double",
        "baseline_value": "double",
        "n": "int64",
        "said": "string",
        "limit_low": "double",
        "limit_high": "double",
        **BREACH,
        **RUN,
    },
    "feature_drift": {
        "model_name": "string",
        "feature": "string",
        "segment": "string",
        "test": "string",
        "as_of": "date",
        "psi": "double",
        "psi_limit": "double",
        "n": "int64",
        **dict.fromkeys(("statistic", "statistic_limit", "p_value", "effect"), "double"),
        **BREACH,
        **RUN,
    },
    "usage_anomaly_days": {
        **dict.fromkeys(("account_id", "customer_id", "subscription_item_id", "meter_id"), "string"),
        "as_of": "date",
        "usage_date": "date",
        "incident_start": "date",
        **dict.fromkeys(("quantity", "expected_quantity", "score"), "double"),
        "detectors": "string",
        "is_anomaly": "bool",
        "is_rule_baseline": "bool",
        "history_days": "int32",
        "related_ratio": "double",
        "company_share": "double",
        "method": "string",
        "model_version": "string",
        **RUN,
    },
    "usage_anomaly_runs": {
        "account_id": "string",
        "as_of": "date",
        "judged_from": "date",
        **dict.fromkeys(("items", "days", "flagged", "rule_flagged", "both_flagged"), "int64"),
        "method": "string",
        "model_version": "string",
        **RUN,
    },
}


@dataclass(frozen=True)
class Run:
    """One execution of a command: `run_id` sorts by time, `at` is naive UTC."""

    run_id: str
    at: datetime


def new_run() -> Run:
    """The only clock of this package: it stamps rows and never decides what a score is."""
    at = datetime.now(UTC).replace(tzinfo=None)
    return Run(f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}", at)


def schema(table: str) -> pa.Schema:
    """Arrow schema of a score table (KeyError for a name outside the contract)."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "date": pa.date32(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us"),
    }
    return pa.schema([(name, types[kind]) for name, kind in TABLES[table].items()])


def shaped(table: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """A frame's contract columns without the run's, typed; NaN becomes NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = schema(table)
    names = [name for name in TABLES[table] if name not in RUN]
    if isinstance(frame, pd.DataFrame):
        part = pa.schema([wanted.field(name) for name in names])
        return pa.Table.from_pandas(frame[names], schema=part, preserve_index=False)
    columns = []
    for name in names:
        column, field = frame.column(name), wanted.field(name)
        if pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
        keeps = pa.types.is_dictionary(column.type)  # words that repeat stay short until they are written
        columns.append(column if keeps else column.cast(field.type))
    return pa.table(dict(zip(names, columns, strict=True)))


def write(folder: Path, table: str, frame: pd.DataFrame | pa.Table, run: Run) -> Path:
    """Append one run's rows to `folder/table/`; NaN becomes NULL.

    The file appears under its final name only when complete, so a killed run leaves no half file that dbt would read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = shaped(table, frame)
    target = path_of(folder, table, run.run_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".tmp")
    run_ids = pa.DictionaryArray.from_arrays(pa.array([0] * len(rows), pa.int32()), pa.array([run.run_id]))
    rows = rows.append_column("run_id", run_ids)
    rows = rows.append_column("scored_at", pa.array([run.at] * len(rows), pa.timestamp("us")))
    words = [field.name for field in schema(table) if pa.types.is_string(field.type)]
    # Only words repeat: to look for repeated numbers would double the time to write. Arrow's own schema is left out, so
    # that words which are kept short here are plain text to every reader.
    pq.write_table(rows, partial, use_dictionary=words, store_schema=False, row_group_size=ROWS_AT_A_TIME)
    os.replace(partial, target)
    return target


def path_of(folder: Path, table: str, run_id: str) -> Path:
    """Where a run's rows of a table lie."""
    return folder / table / f"run={run_id}.parquet"


def has_run(folder: Path, table: str) -> bool:
    """Whether any run has left a file of `table` (dbt's empty one has its columns too)."""
    return any((folder / table).glob("run=*.parquet"))


def relation(folder: Path, table: str) -> str:
    """The rows of all runs of a table, for the FROM of a DuckDB query; a column that older files lack is NULL."""
    place = str(path_of(folder, table, "*")).replace("'", "''")
    return f"read_parquet('{place}', union_by_name = true, hive_partitioning = false)"


def last_breach(folder: Path) -> datetime | None:
    """When the newest drift run ran, if it found a breach (naive UTC); None if it did not, or none ran."""
    import pyarrow.parquet as pq

    runs = sorted(path for path in (folder / "feature_drift").glob("run=*.parquet") if path.stem != "run=empty")
    if not runs:
        return None
    newest = pq.read_table(runs[-1], columns=["is_breach", "scored_at"], partitioning=None).to_pandas()
    return newest["scored_at"].max().to_pydatetime() if newest["is_breach"].any() else None
