"""Pictures of a finished run: a page per customer and one of the company's revenue, as PNG in the state folder."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ml import chart_revenue, warehouse
from ml.chart_pages import Fan, UsagePage
from ml.errors import NothingToDraw, UnknownCustomer
from ml.settings import Settings

PAST = 120  # days of history beside the forecast
MOST = 300  # customers drawn without being asked for: some 15 CPU seconds
LARGEST = 20  # of a company that has more
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
BANDS = ("q025", "q10", "q90", "q975")
CUSTOMERS = ("account_id", "customer_id", "plan")
FORECAST = ("account_id", "customer_id", "subscription_item_id", "as_of", "horizon", "yhat_median", *BANDS, "method")
USAGE = ("account_id", "customer_id", "subscription_item_id", "meter_event_name", "usage_date")
INVOICES = ("account_id", "customer_id", "subscription_id", "period_end", "said")
LETTERS = 124  # of a line across a page
METHODS = {
    "xgboost": "by the model",
    "seasonal_naive": "as on the same weekday of the last week",
    "weekday_mean": "as the mean of four same weekdays",
    "cohort_mean": "new: as others on its plan",
}


@dataclass(frozen=True)
class Chosen:
    """What is drawn: the customers with a current forecast, all rows about them, and each account's as-of day."""

    forecasts: pd.DataFrame
    usage: pd.DataFrame
    invoices: pd.DataFrame
    plans: dict[tuple[str, str], str]


def run(settings: Settings, customer: str | None, everyone: bool, say: Callable[[str], None]) -> None:
    """Draw what is current into `data`/charts/ACCOUNT/; pictures of what is current no more are taken away.

    customer: only this one's page, and nothing else is touched. everyone: all customers of a large company too.
    Raises UnknownCustomer, or NothingToDraw where nothing is forecast.
    """
    folder = settings.data / "charts"
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        chosen, of = _chosen(connection, customer, everyone)
        drawn = [_write(folder, *page) for page in _pages(chosen)]
        if customer is None:
            for account, image in chart_revenue.pages(connection):
                drawn.append(_write(folder, account, "revenue", image))
            for left in set(folder.glob("*/*.png")) - set(drawn):
                left.unlink()
    some = "" if len(chosen.plans) == of else f", the {len(chosen.plans)} largest of {of} customers (all: --all)"
    say(f"{len(drawn)} {'picture' if len(drawn) == 1 else 'pictures'} in {folder}{some}")


def _write(folder: Path, account: str, name: str, image: Image.Image) -> Path:
    target = folder / account / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, compress_level=1)
    return target


def _chosen(connection: duckdb.DuckDBPyConnection, customer: str | None, everyone: bool) -> tuple[Chosen, int]:
    """Rows about the customers to draw, and how many there are with a current forecast."""
    mine = "" if customer is None else " and customer_id = ?"
    values: list[object] = [] if customer is None else [customer]
    forecasts = _rows(connection, "marts.usage_forecast", FORECAST, "is_current" + mine, values)
    of = forecasts[["account_id", "customer_id"]].drop_duplicates().shape[0]
    known = _rows(connection, "marts.dim_customers", CUSTOMERS, "true" + mine, values)
    if customer is not None and not (len(known) and NAME.fullmatch(customer)):
        raise UnknownCustomer(customer)
    if not of:
        raise NothingToDraw(customer)
    if of > MOST and not everyone:
        keys = forecasts[["account_id", "customer_id"]].drop_duplicates()
        largest = keys.merge(_by_size(connection), how="left").sort_values(
            ["reporting_mrr_minor", "customer_id"], ascending=[False, True], na_position="last"
        )
        forecasts = forecasts.merge(largest[["account_id", "customer_id"]].head(LARGEST))
    since = forecasts["as_of"].min() - timedelta(days=PAST)
    quantity = {"quantity": "cast(quantity as double) as quantity"}
    where, days = "usage_date > ?" + mine, [since, *values]
    usage = warehouse.fetch(connection, "marts.fct_usage_daily", _same(USAGE) | quantity, where, days)
    invoices = _rows(connection, "marts.invoice_forecast", INVOICES, "true" + mine, values)
    plans = known.set_index(["account_id", "customer_id"])["plan"].to_dict()
    left: list[list[str]] = forecasts[["account_id", "customer_id"]].drop_duplicates().to_numpy(str).tolist()
    # an id that is no name of a file is none of Stripe's
    drawn = {(account, name): plans.get((account, name)) or "no plan" for account, name in left if NAME.fullmatch(name)}
    return Chosen(forecasts, usage, invoices, drawn), of


def _by_size(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Each customer's MRR of the newest month in the reporting currency."""
    columns = ("account_id", "customer_id", "reporting_mrr_minor")
    newest = "month_start = (select max(month_start) from marts.fct_mrr_monthly)"
    found = _rows(connection, "marts.fct_mrr_monthly", columns, newest, [])
    return found.groupby(["account_id", "customer_id"])["reporting_mrr_minor"].sum().reset_index()


def _pages(chosen: Chosen) -> Iterator[tuple[str, str, Image.Image]]:
    """(account, customer, picture), one page made for each number of items an account's customers have."""
    usage = dict(iter(chosen.usage.groupby(["account_id", "subscription_item_id"])))
    invoices = dict(iter(chosen.invoices.groupby(["account_id", "customer_id"])))
    forecasts = dict(iter(chosen.forecasts.groupby(["account_id", "customer_id"])))
    made: dict[tuple[int, date, int], UsagePage] = {}
    for account, customer in chosen.plans:
        rows = forecasts[account, customer]
        as_of = rows["as_of"].iloc[0]
        items = [
            fan(part, usage.get((account, item)), as_of.date()) for item, part in rows.groupby("subscription_item_id")
        ]
        kind = (len(items), as_of.date(), int(rows["horizon"].max()))
        if kind not in made:
            made[kind] = UsagePage(len(items), as_of.date(), PAST, kind[2])
        head = f"{customer} · {chosen.plans[account, customer]} · as of {as_of:%-d %B %Y}"
        said = next_invoices(invoices.get((account, customer)))
        yield account, customer, made[kind].draw(head, said, sorted(items, key=lambda each: each.title))


def fan(forecast: pd.DataFrame, usage: pd.DataFrame | None, as_of: date) -> Fan:
    """One item's row of a page; days before its first usage are gaps."""
    ahead = forecast.sort_values("horizon")
    history: NDArray[np.float64] = np.full(PAST, np.nan)
    meter = "usage"
    if usage is not None:
        meter = str(usage["meter_event_name"].iloc[-1])
        day = (usage["usage_date"].to_numpy().astype("datetime64[D]") - np.datetime64(as_of, "D")).astype(int)
        seen = (day <= 0) & (day > -PAST)
        history[day[seen] + PAST - 1] = usage["quantity"].to_numpy(np.float64)[seen]
    method = str(ahead["method"].iloc[0])
    middle, *bounds = (ahead[name].to_numpy(np.float64) for name in ("yhat_median", *BANDS))
    return Fan(f"{meter} a day, expected {METHODS.get(method, 'by ' + method)}", history, middle, *bounds)


def next_invoices(rows: pd.DataFrame | None) -> str:
    """What the warehouse says of the next invoice, in as many lines as it takes; of the first, where there are more."""
    if rows is None:
        return "No invoice is expected."
    first = rows.sort_values(["period_end", "subscription_id"]).iloc[0]
    unbroken = re.sub(r"\b([A-Z]{3}) (?=[-0-9])", "\\1\N{NO-BREAK SPACE}", str(first["said"]))
    return "\n".join(textwrap.wrap(unbroken, LETTERS))


def _rows(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: tuple[str, ...], where: str, values: list[object]
) -> pd.DataFrame:
    return warehouse.fetch(connection, relation, _same(columns), where, values)


def _same(columns: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in columns}
