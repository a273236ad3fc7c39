"""Usage features and quiet days from their definitions, day by day, in plain Python: no running sums, no weeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from statistics import median, stdev

DAY = timedelta(days=1)


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


def of_customer(account: Account, customer_id: str, day: date) -> dict[str, float | None]:
    """What int_customer_usage_asof says, of items that are there that day."""
    items = [one for one in account.items if one.customer_id == customer_id and one.first_day <= day <= one.last_day]
    rows = [recent(account, item, day) for item in items]
    found: dict[str, float | None] = {}
    for name, part, whole in (
        ("usage_ratio_7_28", "mean_7", "mean_28"),
        ("usage_ratio_28_91", "mean_28", "mean_91"),
        ("usage_mean_28", "mean_28", "mean_364"),
    ):
        shares = [float(row[part]) / float(row[whole]) for row in rows if row[whole]]  # type: ignore[arg-type] # these columns hold numbers
        found[name] = sum(shares) / len(shares) if shares else None
    zero = [float(row["zero_share_28"]) for row in rows]  # type: ignore[arg-type] # as above
    found["zero_share_28"] = sum(zero) / len(zero) if zero else None
    since = [(day - row["last_used_on"]).days for row in rows if isinstance(row["last_used_on"], date)]
    found["days_since_last_usage"] = min(since, default=None)
    return found


def quiet_days(account: Account, customer_id: str) -> set[date]:
    """Days that begin 30 under a tenth of each item's own level before, with the usage known on the day after those."""
    items = [item for item in account.items if item.customer_id == customer_id]
    quiet = set()
    for day in sorted({day for item in items for day in item.days()}):
        judged = []
        for item in (one for one in items if one.first_day <= day <= one.last_day):
            around = (day + DAY * n for n in range(-91, 30))
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
        if judged and all(judged):
            quiet.add(day)
    return quiet
