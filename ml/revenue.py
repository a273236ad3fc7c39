"""How usage revenue grows and how wrong such forecasts were: what dbt multiplies customers' MRR by.

Money stays in integer minor units in the warehouse: from here it gets growth multipliers of metered MRR, and band
multipliers of sums (actual over forecast), from the same rule at every past month end with what was known then.
"""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from ml import warehouse
from ml.intervals import QUANTILES, ranked
from ml.panel import Floats, Ints
from ml.revenue_book import LEVELS, Book, book_of, summed

METHOD, FLAT, VERSION = "damped_trend", "flat", "2"
MONTHS_AHEAD = 12
DAMPING = 0.8  # each further month carries 80 % of the growth before it (Gardner and McKenzie, 1985)
WINDOW = 24  # months that the trend and the hazard look back on: whole years, so that short months weigh as they should
SHRINKAGE = 6  # months of history at which a plan's own trend weighs as much as its currency's
PRIOR_MONTHS = 100  # customer months at which a plan's own hazard weighs as much as the company's
STEEPEST = 0.2  # log growth a month beyond which it is a start, not a trend
FIRST = 3  # month ends before the first backtested origin
OVERLAP = 4  # past forecasts for each month of distance that a band needs to be that step's own
WIDENING = 0.75  # between a random walk's .5 and a steady miss's 1: on three companies 80 % bands then held 81 to 87 %
ENOUGH = 6  # fewer past forecasts say nothing about an 80 % band
WIDER = 1.96 / 1.2816  # a normal's 95 % width over its 80 % width, where 19 past errors are not at hand
LEAST = 0.01  # a sum that died out counts as one that fell to a hundredth: the logarithm of nothing is no width
MONEY = {name: f"cast({name} as double) as {name}" for name in ("committed_mrr_minor", "metered_mrr_minor")}
KEYS = ("account_id", "customer_id", "plan", "currency", "month_start", "reporting_factor")
COLUMNS = {name: name for name in KEYS} | MONEY


def load(connection: duckdb.DuckDBPyConnection, as_of: date, built: date) -> pd.DataFrame:
    """MRR per customer, plan, currency and month known at `as_of`, as in `features.revenue_months`.

    A past month's row is its month-end value. The month of `as_of` itself is known only in a warehouse built for that
    day (or at its end), so a replay leaves it out.
    """
    known = "last_day(month_start) <= $1" if as_of != built else "month_start <= $1"
    rows = warehouse.fetch(connection, "features.revenue_months", COLUMNS, known, [as_of])
    return rows.sort_values(["account_id", "customer_id", "currency", "plan", "month_start"], ignore_index=True)


def hazard(book: Book, origin: int) -> Floats:
    """Share of paying customers gone a month later, by plan, shape (plans,), over the two years up to `origin`.

    Each plan's own share is drawn to the company's with the weight of 100 customer months. 0 before any month is over.
    """
    months = slice(max(1, origin - WINDOW + 1), origin + 1)
    exposed, gone = book.exposed[:, months].sum(axis=1), book.gone[:, months].sum(axis=1)
    base = gone.sum() / max(exposed.sum(), 1.0)
    return np.asarray((gone + PRIOR_MONTHS * base) / (exposed + PRIOR_MONTHS))


def trends(book: Book, origin: int) -> tuple[dict[str, Floats], bool]:
    """Log growth a month of metered MRR as known at `origin`, by level, shape (series,), and whether any was seen.

    Same-customer growth of two years as one ratio, each series drawn to the level above it with the weight of six
    months, the company's to no growth.
    """
    window = slice(max(2, origin - WINDOW + 1), origin + 1)
    found: dict[str, Floats] = {}
    prior, seen = np.zeros(1), False
    for level in reversed(LEVELS):
        came, were = book.came[level][:, window].sum(axis=1), book.were[level][:, window].sum(axis=1)
        months = (book.were[level][:, window] > 0).sum(axis=1)
        ratio = np.divide(np.maximum(came, LEAST * were), were, out=np.ones_like(were), where=were > 0)
        own = np.clip(np.log(ratio), -STEEPEST, STEEPEST)
        above = prior[book.above[level]]
        found[level] = (months * own + SHRINKAGE * above) / (months + SHRINKAGE)
        prior, seen = found[level], seen or bool(months.any())
    return found, seen


def multipliers(log_growth: Floats, steps: int) -> Floats:
    """Growth after 1 … steps months, as a last axis: the first carries .8 of the trend, each further .8 of it."""
    return np.asarray(np.exp(log_growth[..., None] * np.cumsum(DAMPING ** np.arange(1, steps + 1))))


def project(book: Book, origin: int, steps: int) -> Floats:
    """Expected MRR of each line 1 … steps months after `origin`, shape (lines, steps), minor units.

    (committed + metered x growth of its plan) x survival at its plan's hazard. Customers in their first month have no
    closed period yet and get their plan's mean: where this forecast is served, the daily model knows them.
    """
    committed, metered = book.committed[:, origin], book.metered[:, origin]
    here = committed + metered > 0
    new = here & (metered == 0) & (~book.alive[:, origin - 1] if origin else True)
    index, plans = book.index["plan"], len(book.names["plan"])
    settled = np.bincount(index, weights=here & ~new, minlength=plans)
    total = np.bincount(index, weights=metered * (here & ~new), minlength=plans)
    mean = np.divide(total, settled, out=np.zeros(plans), where=settled > 0)
    expected = np.where(new, mean[index], metered)
    growth = multipliers(trends(book, origin)[0]["plan"][index], steps)
    survival = (1 - hazard(book, origin)[index])[:, None] ** np.arange(1, steps + 1)
    return np.asarray((committed[:, None] + expected[:, None] * growth) * survival)


def spread(index: Ints, amounts: Floats, series: int) -> Floats:
    """Root of the sum of squared shares per series: 1 for one customer, 1/sqrt(n) for n alike, NaN for nothing."""
    total = np.bincount(index, weights=amounts, minlength=series)
    squares = np.bincount(index, weights=amounts**2, minlength=series)
    return np.asarray(np.divide(np.sqrt(squares), total, out=np.full(series, np.nan), where=total > 0))


def past_errors(book: Book, steps: int) -> pd.DataFrame:
    """level, series, origin, steps, error: log of actual over forecast of the SUM of the customers paying at origin.

    spread: how concentrated the forecast was. New business is in neither. The company's sums are in the reporting
    currency, each month at its own rates; lines without a rate are in neither.
    """
    parts: list[pd.DataFrame] = []
    months = book.committed.shape[1]
    for origin in range(FIRST, months - 1):
        ahead = min(steps, months - 1 - origin)
        said, later = project(book, origin, ahead), slice(origin + 1, origin + 1 + ahead)
        came = book.followed(book.committed + book.metered, origin)[:, later]
        for level in LEVELS:
            index, series = book.index[level], len(book.names[level])
            forecasts, actuals = said, came
            if level == "company":
                rated = ~np.isnan(book.factor[:, origin])
                forecasts = np.where(rated[:, None], said * book.factor[:, [origin]], 0)
                actuals = np.where(rated[:, None], came * book.factor[:, later], 0)
            wanted, got = summed(index, forecasts, series), summed(index, actuals, series)
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.where(wanted > 0, np.log(np.maximum(got / wanted, LEAST)), np.nan)
            at, step = np.divmod(np.arange(error.size), ahead)
            width = spread(index, forecasts[:, 0], series)[at]
            frame = {"level": level, "series": at, "origin": origin, "steps": step + 1, "error": error.ravel()}
            parts.append(pd.DataFrame(frame | {"spread": width}).dropna())
    names = ["level", "series", "origin", "steps", "error", "spread"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def widths(errors: pd.DataFrame, level: str, steps: int) -> tuple[Floats, list[int]]:
    """80 and 95 % half widths in log units per spread, shape (2, steps), and the number of errors behind each step.

    Conformal quantiles of |error| / spread, pooled over a level's series: a sum over n customers alike errs about
    1/sqrt(n) as much as one customer, so a plan of few months or customers borrows from the others. Forecasts a month
    apart of a year ahead are nearly the same one: beyond the last step with 4 of them for each month of distance, a
    band is at least that step's, grown by (distance)^.75. NaN with under 6 past month ends to forecast from.
    """
    found, counts, trusted = np.full((2, steps), np.nan), [0] * steps, 0
    own = errors[errors["level"] == level]
    for step in range(1, steps + 1):
        here = own[own["steps"] == step]
        sizes = (here["error"].abs() / here["spread"]).to_numpy(np.float64)
        counts[step - 1], origins = len(sizes), here["origin"].nunique()
        if origins >= ENOUGH:
            narrow = ranked(sizes, 0.8)
            # ceil((n + 1) * .95) is a rank among n errors only from n = 19 on.
            wide = ranked(sizes, 0.95) if len(sizes) >= 19 else max(narrow * WIDER, float(sizes.max()))
            found[:, step - 1] = narrow, wide
        if origins >= max(ENOUGH, OVERLAP * step):
            trusted = step
        elif trusted:
            grown = found[:, trusted - 1] * (step / trusted) ** WIDENING
            found[:, step - 1] = np.fmax(found[:, step - 1], grown)
    return np.fmax.accumulate(found, axis=1), counts


def forecast(months: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of the `revenue_trend` table (without run columns): three levels, 1 … 12 months after the month of `as_of`.

    A month that is not over at `as_of` is a step of its own, so that bands are rather too wide than too narrow. Without
    three month ends of a same customer growth is 1 and `method` says flat.
    """
    found = []
    for account, rows in months.groupby("account_id"):
        book = book_of(rows, as_of)
        running = int(pd.Timestamp(as_of) != pd.Timestamp(as_of) + pd.offsets.MonthEnd(0))
        errors = past_errors(book, MONTHS_AHEAD + running)
        growth, seen = trends(book, book.committed.shape[1] - 1)
        for level in LEVELS:
            (narrow, wide), counts = widths(errors, level, MONTHS_AHEAD + running)
            factor = book.latest_factor if level == "company" else np.ones_like(book.latest)
            index, series = book.index[level], len(book.names[level])
            scale = spread(index, np.nan_to_num(book.latest * factor), series)
            for place, (plan, currency) in enumerate(book.names[level]):
                sizes = dict(
                    zip(QUANTILES, (-wide[running:], -narrow[running:], narrow[running:], wide[running:]), strict=True)
                )
                row = {
                    "account_id": account,
                    "level": level,
                    "plan": plan,
                    "currency": currency,
                    "as_of": as_of,
                    "months_ahead": np.arange(1, MONTHS_AHEAD + 1),
                    "metered_growth": multipliers(growth[level][place], MONTHS_AHEAD),
                    **{name: np.exp(size * scale[place]) for name, size in sizes.items()},
                    "n": counts[running:],
                    "method": METHOD if seen else FLAT,
                    "model_version": VERSION,
                }
                found.append(pd.DataFrame(row))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
