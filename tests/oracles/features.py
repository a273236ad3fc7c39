"""Usage features and quiet days from their definitions, day by day, in plain Python: no running sums, no weeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from statistics import median, stdev

DAY = timedelta(days=1)
YEAR = 364  # whole weeks
SPANS = {"ahead": range(30), "month": range(-28, 0), "quarter": range(-91, 0)}


@dataclass(frozen=True)
class Item:
    """A metered item and the days on which it was there, both included."""

    item_id: str
    customer_id: str
    meter_id: str
    first_day: date
    last_day: date

    def days(self) -> list[date]:
        return [self.first_day + DAY * n for n in range((self.last_day - self.first_day).days + 1)]


@dataclass
class Account:
    """What loads saw: `values` of each (meter, customer, day), oldest first, as (when it was first seen, value)."""

    as_of: date
    items: list[Item]
    loads: list[datetime]  # each covers the days before its own
    values: dict[tuple[str, str, date], list[tuple[datetime, int]]] = field(default_factory=dict)

    def since(self, item: Item) -> date:
        """When the first item of the same customer and meter began."""
        same = [one for one in self.items if (one.meter_id, one.customer_id) == (item.meter_id, item.customer_id)]
        return min(one.first_day for one in same)

    def covered_at(self, day: date) -> datetime:
        return next(at for at in self.loads if at.date() > day)

    def known(self, item: Item, day: date, origin: date) -> int:
        """Usage of a day as it was known at the end of `origin`, or by the load that first covered it if later."""
        end, covered_at = datetime.combine(origin + DAY, time()), self.covered_at(day)
        seen = self.values.get((item.meter_id, item.customer_id, day), [])
        return next((value for at, value in reversed(seen) if at < end or at <= covered_at), 0)

    def newest(self, item: Item, day: date) -> int:
        seen = self.values.get((item.meter_id, item.customer_id, day), [])
        return seen[-1][1] if seen else 0

    def history(self, item: Item, origin: date) -> list[int]:
        """Days of the item up to `origin`, as known then."""
        return [self.known(item, day, origin) for day in item.days() if day <= origin]


def mean(values: list[int]) -> float | None:
    return float(Fraction(sum(values), len(values))) if values else None


def recent(account: Account, item: Item, origin: date) -> dict[str, object]:
    """What int_usage_recent says of an item at an origin."""
    past = account.history(item, origin)
    used = [day for day, value in zip(item.days(), past, strict=False) if value > 0]
    means = {f"mean_{size}": mean(past[-size:]) for size in (7, 14, 28, 56, 91, 364)}
    lasts = {f"last_{back}": past[-back] if len(past) >= back else None for back in (1, 2, 3, 7)}
    return (
        means
        | lasts
        | {
            "history_days": len(past),
            "sd_28": stdev(past[-28:]) if len(past) > 1 else None,
            "zero_share_28": float(Fraction(past[-28:].count(0), len(past[-28:]))),
            "last_used_on": max(used, default=None),
        }
    )


def weekdays(account: Account, item: Item, origin: date) -> dict[str, list[float | None]]:
    """What int_usage_weekdays says: by ISO weekday, Monday first."""
    past = dict(zip(item.days(), account.history(item, origin), strict=False))
    by_weekday = [[value for day, value in past.items() if day.weekday() == weekday] for weekday in range(7)]
    return {
        "same_weekday_last": [float(values[-1]) if values else None for values in by_weekday],
        "same_weekday_mean_4": [mean(values[-4:]) for values in by_weekday],
        "same_weekday_mean_8": [mean(values[-8:]) for values in by_weekday],
        "same_weekday_median_8": [float(median(values[-8:])) if values else None for values in by_weekday],
    }


def year_before(account: Account, item: Item, origin: date) -> list[float | None]:
    """What int_usage_year_before says: 364 days before each of the 28 days up to the origin and the 98 that follow."""
    past = dict(zip(item.days(), account.history(item, origin), strict=False))
    days = [origin + DAY * (ahead - 364) for ahead in range(-27, 99)]
    return [float(past[day]) if day in past else None for day in days]


def left(account: Account, item: Item, origin: date) -> dict[str, object]:
    """Means of the last days and of those that int_customer_usage_asof holds them against; oldest day last."""
    past = account.history(item, origin)[::-1]
    return {
        "mean_14": mean(past[:14]),
        "mean_month_before": mean(past[28:56]),
        "mean_quarter_before": mean(past[14:105]),
        "mean_28_then_or_part": mean(past[364:392]),
        "mean_28_then": mean(past[364:392]) if len(past) >= 392 else None,
    }


def of_customer(account: Account, customer_id: str, day: date) -> dict[str, float | bool | None]:
    """What int_customer_usage_asof says, of items that are there that day."""
    items = [one for one in account.items if one.customer_id == customer_id and one.first_day <= day <= one.last_day]
    rows = [recent(account, item, day) | left(account, item, day) for item in items]
    found: dict[str, float | bool | None] = {}
    for name, part, whole in (
        ("usage_ratio_7_28", "mean_7", "mean_28"),
        ("usage_ratio_28_91", "mean_28", "mean_91"),
        ("usage_mean_28", "mean_28", "mean_364"),
        ("usage_year_ago", "mean_28_then", "mean_364"),
    ):
        shares = [float(row[part]) / float(row[whole]) for row in rows if row[whole] and row[part] is not None]  # type: ignore[arg-type] # these columns hold numbers
        found[name] = sum(shares) / len(shares) if shares else None
    for name, part, whole in (
        ("usage_left_28", "mean_7", "mean_month_before"),
        ("usage_left_91", "mean_14", "mean_quarter_before"),
        ("usage_left_364", "mean_28", "mean_28_then_or_part"),
    ):
        # an item counts at most twice, a customer at most once
        shares = [min(float(row[part]) / float(row[whole]), 2.0) for row in rows if row[whole]]  # type: ignore[arg-type] # as above
        found[name] = min(sum(shares) / len(shares), 1.0) if shares else None
    used, year_ago = found["usage_mean_28"], found["usage_year_ago"]
    found["is_seasonal"] = used is not None and year_ago is not None and used < 0.5 and year_ago < 0.5
    zero = [float(row["zero_share_28"]) for row in rows]  # type: ignore[arg-type] # as above
    found["zero_share_28"] = sum(zero) / len(zero) if zero else None
    since = [(day - row["last_used_on"]).days for row in rows if isinstance(row["last_used_on"], date)]
    found["days_since_last_usage"] = min(since, default=None)
    return found


def _halved(known: dict[date, int], day: date) -> bool:
    """Whether the 30 days from `day` on used less than half of the level before, as far as they are known."""
    spans = {name: [known[day + DAY * n] for n in span if day + DAY * n in known] for name, span in SPANS.items()}
    if not all(spans.values()):
        return False
    ahead, month, quarter = (Fraction(sum(spans[name]), len(spans[name])) for name in ("ahead", "month", "quarter"))
    return ahead < (month + quarter) / 4


def quiet_days(account: Account, customer_id: str) -> set[date]:
    """Days that begin 30 under a tenth of each item's own level before, with the usage known on the day after those."""
    items = [item for item in account.items if item.customer_id == customer_id]
    quiet = set()
    for day in sorted({day for item in items for day in item.days()}):
        judged, seasonal = [], []
        for item in (one for one in items if one.first_day <= day <= one.last_day):
            around = (day + DAY * n for n in range(-YEAR - 91, 30))
            known = {
                other: account.known(item, other, day + 30 * DAY)
                for other in around
                if item.first_day <= other <= item.last_day
            }
            before_28 = [known[day - DAY * n] for n in range(1, 29) if day - DAY * n in known]
            before_91 = [known[day - DAY * n] for n in range(1, 92) if day - DAY * n in known]
            after = [known[day + DAY * n] for n in range(30) if day + DAY * n in known]
            if sum(before_28):
                level = (Fraction(sum(before_28), len(before_28)) + Fraction(sum(before_91), len(before_91))) / 2
                judged.append(len(after) == 30 and max(after) < level / 10)
                seasonal.append(_halved(known, day - DAY * YEAR))
        if judged and all(judged) and not all(seasonal):
            quiet.add(day)
    return quiet
