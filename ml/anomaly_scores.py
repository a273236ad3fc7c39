"""Unusual days of the warehouse's usage: `python -m ml detect` judges what has come since it last did.

Usage is judged on a scale of ratios (its logarithm), because twice a quiet item's usage is as odd as twice a busy
one's: on four sandboxes the same detector then finds as many incidents with two fifths fewer false ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from ml import scores, usage_days, warehouse
from ml.anomaly_incidents import VERSION, found_days
from ml.errors import NothingToDo
from ml.settings import Settings

WINDOW_DAYS = 35  # judged again by each run: usage of so long ago may still be revised
ITEMS_AT_A_TIME = 5_000
METHOD = "weekday_level_silence_band"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Window:
    """Days that a run judges of one account, both included."""

    first: date
    last: date


def run(settings: Settings, asked: date | None, say: Say, *, everything: bool = False) -> None:
    """Append usage_anomaly_days and usage_anomaly_runs at `asked` (default: the built day).

    An account's first run judges all its days; later ones the last 35, and whatever came since the run before.
    everything: judge all days anew, as a run does by itself when the rules have changed. Raises NothingToDo without
    usage, and what `warehouse.chosen_as_of` raises.
    """
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        as_of = warehouse.chosen_as_of(connection, asked)
        items = usage_days.items(connection, as_of)
        if not len(items):
            raise NothingToDo(f"No usage up to {as_of}: there is nothing to judge.")
        begun = dict(items.groupby("account_id")["first_day"].min())
        before = {} if everything else last_judged(settings.scores, as_of)
        windows = {account: window(first, as_of, before.get(account)) for account, first in begun.items()}
        days, judged = judge(connection, items, windows, as_of, settings.scores)
    stamp = scores.new_run()
    scores.write(settings.scores, "usage_anomaly_days", days, stamp)
    scores.write(settings.scores, "usage_anomaly_runs", judged, stamp)
    total = {name: int(judged[name].sum()) for name in ("days", "flagged", "rule_flagged")}
    incidents = len(days[["account_id", "subscription_item_id", "incident_start"]].drop_duplicates())
    say(
        f"{incidents} incidents of unusual usage from {judged['judged_from'].min()} to {as_of}: {total['flagged']} of "
        f"{total['days']} item-days (two sigma of 90 days would say {total['rule_flagged']})."
    )


def window(first: date, as_of: date, before: date | None) -> Window:
    """What to judge of an account whose usage begins on `first` and which was last judged as of `before`."""
    if before is None:
        return Window(first, as_of)
    recent = as_of - timedelta(days=WINDOW_DAYS - 1)
    return Window(max(first, min(recent, before + timedelta(days=1))), as_of)


def last_judged(folder: Path, as_of: date) -> dict[str, date]:
    """The newest day up to `as_of` that each account was judged as of, by these very rules."""
    if not scores.has_run(folder, "usage_anomaly_runs"):
        return {}
    with duckdb.connect() as files:
        query = f"""
            select account_id, max(as_of) from {scores.relation(folder, "usage_anomaly_runs")}
            where as_of <= $1 and model_version = $2 group by 1
        """  # noqa: S608 - a file name of ours, quoted
        return {str(account): day for account, day in files.execute(query, [as_of, VERSION]).fetchall()}


def judge(
    connection: duckdb.DuckDBPyConnection, items: pd.DataFrame, windows: dict[str, Window], as_of: date, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the two tables without run columns. items: `usage_days.items`."""
    first = items["first_day"].min()
    parts, tallies = [], []
    for some in portions(items):
        daily = usage_days.daily(connection, some, first, as_of)
        since = np.array([(windows[account].first - first).days for account in some["account_id"]])
        bands = usage_days.bands(folder, some, first, as_of, min(one.first for one in windows.values()))
        found = found_days(some, daily, since, bands)
        parts.append(found.days)
        tallies.append(found.tally)
    days = pd.concat(parts, ignore_index=True)
    place = days.pop("place").to_numpy(np.int64)
    begun = days.pop("start_place").to_numpy(np.int64)
    origin = np.datetime64(first, "D")
    days = days.assign(usage_date=(origin + place).astype(object), incident_start=(origin + begun).astype(object))
    tally = pd.concat(tallies).groupby("account_id", as_index=False).sum()
    tally = tally.assign(judged_from=[windows[account].first for account in tally["account_id"]])
    return _named(days, as_of), _named(tally, as_of)


def portions(items: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Items of one account, 5,000 at a time: what all do at once is told apart within an account."""
    for _, own in items.groupby("account_id"):
        for start in range(0, len(own), ITEMS_AT_A_TIME):
            yield own.iloc[start : start + ITEMS_AT_A_TIME].reset_index(drop=True)


def _named(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    return rows.assign(as_of=as_of, method=METHOD, model_version=VERSION)
