"""`drift`: features against what the champions learned, and what they said against what came; breaches are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd

from ml import breaches, drift, drift_level, performance, registry, scores, usage_panel, warehouse
from ml.errors import NoChampion, NothingToDo
from ml.panel import Floats
from ml.settings import Settings, quiet_libraries

Say = Callable[[str], None]
SHAPES = ("level", "sd_28", *drift.ITEM_SHARES)
MEANS = ("mean_7", "mean_28", "mean_91", "history_days")
WORDS = ("account_id", "subscription_item_id", "customer_id", "plan", "currency", "origin_date")
COLUMNS = {
    **{name: name for name in WORDS},
    "meter_id": "meter_id as meter",
    **{name: f"cast({name} as double) as {name}" for name in (*SHAPES, *MEANS)},
}
OWN_DAYS = 91  # of history without which an item has no level of its own yet
CONSEQUENCES = {
    registry.USAGE: "Forecasts of usage and invoices rest on what was usual before",
    registry.CHURN: "Churn risks rest on customers unlike today's",
}
OUT_OF_BAND = "The model is worse than its backtest promised"
UNTIL = "new versions wait and advice on it counts half, until acknowledged or over"


def run(settings: Settings, asked: date | None, say: Say) -> bool:
    """Append feature_drift and the live rows of model_performance; True if a breach stands that nobody acknowledged.

    Raises NoChampion if neither model has one, NothingToDo if there is nothing to compare.
    """
    quiet_libraries()
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        as_of = warehouse.chosen_as_of(connection, asked)
    store = registry.connect(settings)
    champions = {name: registry.find(store, name) for name in (registry.USAGE, registry.CHURN)}
    serving = {name: entry for name, entry in champions.items() if entry is not None}
    if not serving:
        raise NoChampion(registry.USAGE)
    specs = {}
    for name, entry in serving.items():
        with registry.files(entry, settings.tracking_uri) as folder:
            specs[name] = registry.read_spec(entry, folder)
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        items, customers = _items(connection, as_of), _customers(connection, as_of)
        came = performance.measure(connection, settings.scores, as_of, serving, specs)
        known, quality = breaches.acknowledged(connection), breaches.quality(connection)
    found = [
        shapes(entry, specs[name], items if name == registry.USAGE else customers, as_of)
        for name, entry in serving.items()
    ]
    if registry.USAGE in serving:
        found.append(levels(items, customers, as_of))
    table = pd.concat([one for one in found if len(one)] or [pd.DataFrame()], ignore_index=True)
    if not len(table):
        raise NothingToDo(f"No feature to compare at as-of {as_of}.")
    table["alert_key"] = "drift:" + table["test"] + ":" + table["feature"] + ":" + table["segment"]
    table["consequence"] = [
        f"{CONSEQUENCES[model]}: {UNTIL}" if breach else None
        for model, breach in zip(table["model_name"], table["is_breach"], strict=True)
    ]
    came["consequence"] = [f"{OUT_OF_BAND}: {UNTIL}" if breach else None for breach in came["is_breach"]]
    stamp = scores.new_run()
    scores.write(settings.scores, "model_performance", came.assign(as_of=as_of), stamp)
    scores.write(settings.scores, "feature_drift", table.assign(as_of=as_of), stamp)
    lines = [*_told(table, "feature", known), *_told(came, "metric", known)]
    lines += [(one.key not in known, f"{one.what}. Figures made of them are off: {UNTIL}") for one in quality]
    for stands, line in lines:
        say(f"{'breach' if stands else 'acknowledged'}: {line}")
    judged = table["p_value"].notna() & ((table["test"] == "level") | (table["n"] >= drift.LEAST))
    say(
        f"{int(table['is_breach'].sum())} of {int(judged.sum())} tests of features found drift; "
        f"{int((~judged).sum())} have too few rows to judge."
    )
    say(performance.summary(came))
    return any(stands for stands, _ in lines)


def _told(table: pd.DataFrame, name: str, known: set[str]) -> list[tuple[bool, str]]:
    """Each breach as (nobody acknowledged it, a line that names the feature, the segment and the consequence)."""
    lines = []
    for row in table[table["is_breach"]].to_dict("records"):
        if name == "metric":
            said = performance.sentence(row["value"], row["limit_low"], row["limit_high"], row["n"])
        elif row["test"] == "level":
            said = f"level {100 * row['effect']:+.0f} % against the usual (n {row['n']}, p {row['p_value']:.1g})"
        else:
            said = f"PSI {row['psi']:.3f} over its limit {row['psi_limit']:.3f} (n {row['n']})"
        where = f"{row[name]} of {row['segment']}: {said}"
        lines.append((row["alert_key"] not in known, f"{where}. {row['consequence']}"))
    return lines


def shapes(entry: registry.Entry, spec: Mapping[str, object], rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of `feature_drift` by PSI for one champion. rows: days before, and `as_of`, in the column origin_date."""
    usage = entry.model == registry.USAGE
    days = {pd.Timestamp(str(day)).date(): part for day, part in rows.groupby("origin_date")}
    made = {day: _features(part, usage=usage) for day, part in sorted(days.items())}
    if as_of not in made:
        return pd.DataFrame()
    step = 7 if usage else 30
    lag = round((as_of - date.fromisoformat(entry.tags["as_of"])).days / step)
    moved = drift.usual([features for day, features in made.items() if day < as_of], lag)
    references = spec["references"]
    if not isinstance(references, dict):
        return pd.DataFrame()
    segment = "items" if usage else "customers"
    found = drift.compare(references, made[as_of], segment, moved)
    return found.assign(
        model_name=entry.model,
        test="shape",
        statistic=found["psi"] if len(found) else [],
        statistic_limit=found["psi_limit"] if len(found) else [],
        effect=np.nan,
    )


def _features(rows: pd.DataFrame, *, usage: bool) -> dict[str, Floats]:
    if not usage:
        return drift.customer_features(rows)
    return drift.item_features({name: rows[name].to_numpy(np.float64) for name in SHAPES})


def levels(items: pd.DataFrame, customers: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of `feature_drift` by level tests, of the items alive at `as_of` and those that were before."""
    origins = [pd.Timestamp(as_of - timedelta(days=7 * back)) for back in range(drift_level.YEAR, -1, -1)]
    place = pd.Index(origins).get_indexer(pd.DatetimeIndex(items["origin_date"]))
    keys, who = ["account_id", "subscription_item_id"], ["account_id", "customer_id"]
    rows = items[place >= 0].assign(place=place[place >= 0]).sort_values([*keys, "place"])
    about = rows.drop_duplicates(keys, keep="last").reset_index(drop=True)
    row = pd.MultiIndex.from_frame(about[keys]).get_indexer(pd.MultiIndex.from_frame(rows[keys]))
    grown = (rows["history_days"] >= OWN_DAYS) & (rows["mean_91"] > 0)
    ratios: dict[str, Floats] = {}
    for name, days in drift_level.RATIOS.items():
        ratios[name] = np.full((len(about), len(origins)), np.nan)
        own = (rows[f"mean_{days}"] / rows["mean_91"]).where(grown).to_numpy(np.float64)
        ratios[name][row, rows["place"].to_numpy()] = own
    if "segment" in customers:
        newest = customers.sort_values("origin_date").drop_duplicates(who, keep="last")
        about = about.merge(newest[[*who, "segment"]], how="left", on=who)
    about["customer_id"] = about["account_id"] + "/" + about["customer_id"]
    found = drift_level.tests(about, ratios)
    flags, bar = drift_level.breaches(found)
    table = pd.DataFrame([vars(one) for one in found])
    return table.assign(
        model_name=registry.USAGE,
        test="level",
        psi=np.nan,
        psi_limit=np.nan,
        statistic_limit=np.nan if bar is None else bar,
        is_breach=flags,
    )


def _items(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    """Usage features at `as_of` and the weekly origins of the year before, of as many items as training learns from."""
    some = usage_panel.some_ids("subscription_item_id", "features.usage_asof", "origin_date")
    where = f"origin_date between $2 and $1 and subscription_item_id in ({some})"
    first = as_of - timedelta(days=7 * drift_level.YEAR)
    return warehouse.fetch(connection, "features.usage_asof", COLUMNS, where, [as_of, first])


def _customers(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    """Every column of `features.customer_asof` at `as_of` and the month ends before, of as many customers."""
    some = usage_panel.some_ids("customer_id", "features.customer_asof", "as_of_date")
    query = f"""
        select *, as_of_date as origin_date from features.customer_asof
        where as_of_date <= $1 and customer_id in ({some})
    """  # noqa: S608 - names of our own code
    return connection.execute(query, [as_of]).fetch_df()
