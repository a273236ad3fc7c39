"""What stands against promoting a model: drift, figures out of band, errors in the data, unless acknowledged.

A breach is known by its key, the dedupe_key of its row in `marts.alerts`; a person acknowledges it in the seed
`alert_acknowledgements`, and the next `make recommend` puts that into the mart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ml.errors import RelationMissing
from ml.warehouse import fetch

QUALITY = {name: name for name in ("check_name", "rows_affected", "meaning")}


@dataclass(frozen=True)
class Breach:
    """model: whose promotion it blocks, None for every model. what: a sentence without its full stop."""

    model: str | None
    key: str
    what: str


def standing(folder: Path, connection: duckdb.DuckDBPyConnection) -> list[Breach]:
    """What the newest drift run found and the newest build knows of, without what a person acknowledged.

    folder: of the score files.
    """
    known = acknowledged(connection)
    return [one for one in (*measured(folder), *quality(connection)) if one.key not in known]


def reason(found: Sequence[Breach], model: str) -> str:
    """Why `model` must not be promoted now; empty if nothing stands against it."""
    return "; ".join(one.what for one in found if one.model in (None, model))


def measured(folder: Path) -> list[Breach]:
    """Breaches of the newest drift run, from its two files; none if none ran."""
    import pyarrow.parquet as pq

    runs = sorted(path.name for path in (folder / "feature_drift").glob("run=*.parquet") if path.stem != "run=empty")
    found = []
    for table, name in (("feature_drift", "feature"), ("model_performance", "metric")) if runs else ():
        path = folder / table / runs[-1]
        if not path.is_file():
            continue
        rows = pq.read_table(path, partitioning=None).to_pandas()
        for row in rows[rows["is_breach"].astype(bool)].to_dict("records"):
            what = f"{row[name]} of {row['segment']} is in breach"
            found.append(Breach(row.get("model_name"), row.get("alert_key") or f"{table}:{row[name]}", what))
    return found


def quality(connection: duckdb.DuckDBPyConnection) -> list[Breach]:
    """Checks of what models rest on that found errors; other findings block nothing."""
    try:
        rows = fetch(connection, "marts.data_quality", QUALITY, "is_of_models and rows_affected > 0", [])
    except RelationMissing:
        return []  # before the first build of that mart
    rows = rows.sort_values("check_name")
    return [
        Breach(None, f"data_quality:{row.check_name}", f"data quality: {row.check_name} ({row.rows_affected} rows)")
        for row in rows.itertuples(index=False)
    ]


def acknowledged(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Keys of the alerts that a person has acknowledged; none before the first build of the mart."""
    try:
        rows = fetch(connection, "marts.alerts", {"dedupe_key": "dedupe_key"}, "is_acknowledged", [])
    except RelationMissing:
        return set()
    return set(rows["dedupe_key"])
