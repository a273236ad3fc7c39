"""Is a champion still as good as when it was held out? What it said against what came, in the band of its backtest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from ml import metrics, registry, scores, usage_panel
from ml.backtest import Block
from ml.intervals import held_out_bands, own_scale
from ml.panel import Panel
from ml.routes import demand_class

WINDOWS = (7, 28)  # days of truth
FURTHEST = 28  # days ahead that are judged: the ones that advice and invoices rest on
LEAST_DAYS = 200  # item-days, and
LEAST_SHARE = 0.5  # of the window's days with truth, without which a figure is shown and not judged
LEAST_RISKS = 100  # customers whose outcome is known
WIDTH = 3.0  # deviations of the held-out blocks, and at least
SLACK_WAPE, SLACK_COVERAGE = 0.15, 0.05  # of the mean WAPE, and points of coverage: six blocks say little of a spread
COLUMNS = ("model_name", "model_version", "metric", "segment", "value", "baseline_value", "n", "said", "limit_low")
Limits = dict[str, dict[str, list[float | None]]]


def limits(panel: Panel, block: Block, method: str) -> Limits:
    """The band of a method's own backtest: metric -> segment -> [low, high], from its spread over held-out blocks.

    Blocks of a window of 28 days are the cutoffs, those of 7 days their first four weeks. Empty without two blocks.
    """
    cutoffs = np.unique(block.cutoff)
    if len(cutoffs) < 2:
        return {}
    said = block.forecasts[method]
    scale, demand = own_scale(panel, block.picked), demand_class(panel, block.picked)
    bands = held_out_bands(block.actual, said.median, scale, demand, block.cutoff)
    meter = panel.rows["meter_id"].to_numpy()[block.picked].astype(str)
    found: Limits = {}
    for window in WINDOWS:
        for segment, inside in _segments(meter).items():
            errors, held = [], []
            for cutoff in cutoffs:
                rows = inside & (block.cutoff == cutoff)
                for first in range(0, min(FURTHEST, block.actual.shape[1]), window):
                    days = slice(first, first + window)
                    actual = block.actual[rows][:, days]
                    seen = ~np.isnan(actual)
                    if seen.sum() < LEAST_DAYS / 4:
                        continue
                    unit = np.broadcast_to(meter[rows][:, None], actual.shape)[seen]
                    errors.append(metrics.wape_by_unit(actual[seen], said.median[rows][:, days][seen], unit))
                    edges = [bands[name][rows][:, days][seen] for name in ("q10", "q90")]
                    held.append(metrics.coverage(actual[seen], *edges))
            errors = [value for value in errors if not np.isnan(value)]
            if len(errors) > 1:
                middle = float(np.mean(errors))
                high = middle + max(WIDTH * float(np.std(errors, ddof=1)), SLACK_WAPE * middle)
                found.setdefault(f"wape_last_{window}", {})[segment] = [None, high]
                middle, width = float(np.mean(held)), max(WIDTH * float(np.std(held, ddof=1)), SLACK_COVERAGE)
                found.setdefault(f"cov80_last_{window}", {})[segment] = [middle - width, None]
    return found


def measure(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    as_of: date,
    serving: Mapping[str, registry.Entry],
    specs: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Live rows of `model_performance` (without as_of, consequence and run columns), of the models that serve.

    folder: of the score files. Usage: forecasts said before each of the last 7 and 28 days, 1 to 28 days ahead; churn:
    the newest risks whose outcome is known. No file, or no truth yet: no row.
    """
    rows: list[dict[str, Any]] = []
    if registry.USAGE in serving:
        found = came(connection, folder, as_of) if scores.has_run(folder, registry.USAGE) else pd.DataFrame()
        band = specs[registry.USAGE].get("limits", {})
        rows += [
            {**_named(serving[registry.USAGE]), **row} for row in (usage(found, as_of, band) if len(found) else ())
        ]
    if registry.CHURN in serving:
        matured = outcomes(connection, folder, as_of) if scores.has_run(folder, registry.CHURN) else pd.DataFrame()
        rows += [{**_named(serving[registry.CHURN]), **row} for row in (churn(matured) if len(matured) else ())]
    columns = [*COLUMNS, "limit_high", "is_breach", "alert_key"]
    table = pd.DataFrame(rows, columns=columns)
    table["alert_key"] = "performance:" + table["model_name"] + ":" + table["metric"] + ":" + table["segment"]
    return table.astype({"is_breach": bool})


def usage(found: pd.DataFrame, as_of: date, band: Limits) -> Iterator[dict[str, Any]]:
    """Rolling WAPE (baseline: the seasonal naive's) and coverage, over all and by meter.

    found: of `came`. A breach: outside `band` with enough item-days on half of the window's days.
    """
    day = found["forecast_date"].to_numpy().astype("datetime64[D]")
    meter = found["meter_id"].to_numpy().astype(str)
    columns = ("quantity", "yhat_median", "seasonal_naive", "q10", "q90")
    actual, said, naive, low, high = (found[name].to_numpy(np.float64) for name in columns)
    for window in WINDOWS:
        recent = day > np.datetime64(as_of - timedelta(days=window), "D")
        for segment, inside in _segments(meter).items():
            rows = recent & inside
            n = int(rows.sum())
            if not n:
                continue
            enough = n >= LEAST_DAYS and len(np.unique(day[rows])) >= LEAST_SHARE * window
            plain = rows & ~np.isnan(naive)
            figures = {
                f"wape_last_{window}": (
                    metrics.wape_by_unit(actual[rows], said[rows], meter[rows]),
                    metrics.wape_by_unit(actual[plain], naive[plain], meter[plain]),
                ),
                f"cov80_last_{window}": (metrics.coverage(actual[rows], low[rows], high[rows]), np.nan),
            }
            for metric, (value, baseline) in figures.items():
                bounds = band.get(metric, {}).get(segment, [None, None])
                yield _row(metric, segment, value, baseline, n, bounds, judged=enough)


def churn(found: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Brier score, its own expectation as the limit (Spiegelhalter, 1986), and calibration, of each horizon.

    found: of `outcomes`. Calibration: the share that left less the mean probability; both limits are what outcomes
    drawn by the said probabilities exceed once in a thousand times.
    """
    for horizon, rows in found.groupby("horizon_days"):
        label, said = rows["is_churned"].to_numpy(np.float64), rows["probability"].to_numpy(np.float64)
        plain = rows["baseline_probability"].to_numpy(np.float64)
        n, segment = len(rows), f"horizon:{horizon}"
        noise = said * (1 - said)
        expected = float(noise.mean())
        spread = 3.09 * float(np.sqrt((noise * (1 - 2 * said) ** 2).sum())) / n
        shift = 3.29 * float(np.sqrt(noise.sum())) / n
        values = (metrics.brier(label, said), metrics.brier(label, plain))
        judged = n >= LEAST_RISKS
        yield _row("brier_matured", segment, *values, n, [None, expected + spread], judged=judged)
        off = float(label.mean() - said.mean())
        yield _row("calibration_matured", segment, off, np.nan, n, [-shift, shift], judged=judged)
        yield _row("ece_matured", segment, metrics.ece(label, said), np.nan, n, [None, None], judged=False)


def came(connection: duckdb.DuckDBPyConnection, folder: Path, as_of: date) -> pd.DataFrame:
    """Forecasts of the last 28 days, 1 to 28 days ahead, beside what came; of several runs for a day the newest."""
    some = usage_panel.some_ids("subscription_item_id", "marts.fct_usage_daily", "usage_date")
    query = f"""
        with said as (
            select *, rank() over (
                partition by account_id, subscription_item_id, as_of order by scored_at desc, run_id desc
            ) as place
            from {scores.relation(folder, "usage_forecast")}
            where as_of < $1 and as_of >= $2
        )
        select said.subscription_item_id, said.meter_id, said.forecast_date, said.yhat_median, said.seasonal_naive,
            said.q10, said.q90, cast(usage_days.quantity as double) as quantity
        from said
        inner join marts.fct_usage_daily as usage_days
            on said.account_id = usage_days.account_id
            and said.subscription_item_id = usage_days.subscription_item_id
            and said.forecast_date = usage_days.usage_date
        where said.place = 1 and said.horizon <= {FURTHEST} and usage_days.is_counted
            and said.forecast_date <= $1 and said.forecast_date > $3
            and said.subscription_item_id in ({some})
    """  # noqa: S608 - our constants
    oldest = max(WINDOWS)
    since = as_of - timedelta(days=oldest)
    return connection.execute(query, [as_of, since - timedelta(days=FURTHEST), since]).fetch_df()


def outcomes(connection: duckdb.DuckDBPyConnection, folder: Path, as_of: date) -> pd.DataFrame:
    """Risks of the newest as-of day whose labels have matured, beside them; a day that is no month end has none."""
    query = f"""
        with said as (
            select *, rank() over (
                partition by account_id, customer_id, as_of order by scored_at desc, run_id desc
            ) as place
            from {scores.relation(folder, "churn_risk")}
            where as_of < $1
        ),
        matured as (
            select said.horizon_days, said.as_of, said.probability, said.baseline_probability, labels.is_churned
            from said
            inner join features.churn_labels as labels
                on said.account_id = labels.account_id and said.customer_id = labels.customer_id
                and said.as_of = labels.as_of_date and said.horizon_days = labels.horizon_days
            where said.place = 1 and labels.matured_on <= $1
        )
        select * exclude (newest) from (
            select *, max(as_of) over (partition by horizon_days) as newest from matured
        ) where as_of = newest
    """  # noqa: S608 - our constants
    return connection.execute(query, [as_of]).fetch_df()


def sentence(value: float, low: float, high: float, n: int) -> str:
    """A figure and the limit that it broke, in words; a limit that there is not is NaN."""
    limit, side = (high, "over") if value > high else (low, "under")
    return f"{value:.3g}, {side} its limit {limit:.3g} (n {n})"


def summary(table: pd.DataFrame) -> str:
    """One line about what has been judged of the models that serve."""
    if not len(table):
        return "Nothing that the models said has come true yet."
    judged = table["limit_low"].notna() | table["limit_high"].notna()
    return f"{int(table['is_breach'].sum())} of {int(judged.sum())} figures of what was said and came are out of band."


def _row(
    metric: str, segment: str, value: float, baseline: float, n: int, bounds: list[float | None], *, judged: bool
) -> dict[str, Any]:
    low, high = bounds if judged else (None, None)
    broken = (low is not None and value < low) or (high is not None and value > high)
    edges = {"limit_low": np.nan if low is None else low, "limit_high": np.nan if high is None else high}
    figures = {"metric": metric, "segment": segment, "value": value, "baseline_value": baseline, "n": n}
    return {**figures, **edges, "said": "live", "is_breach": broken}


def _segments(meter: np.ndarray[Any, np.dtype[np.str_]]) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    return {"all": np.ones(len(meter), dtype=bool)} | {f"meter:{name}": meter == name for name in np.unique(meter)}


def _named(entry: registry.Entry) -> dict[str, str]:
    return {"model_name": entry.model, "model_version": entry.version}
