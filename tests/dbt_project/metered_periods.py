"""Items with billing periods whose usage is made of single events, and the models of periods ahead built of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from tests.dbt_project.compiled import Bench
from tests.dbt_project.usage_accounts import ACCOUNT, AS_OF, REVISIONS, build, put
from tests.oracles.features import DAY, Account, Item
from tests.oracles.periods_ahead import Metered, is_known, midnight, value

PERIOD_MODELS = (
    *("int_usage_boundary_days", "int_usage_periods", "int_billing_periods_scheduled"),
    *("int_usage_summaries_superseded", "int_usage_boundaries_known", "int_usage_values_so_far"),
    *("int_usage_so_far", "int_usage_periods_ahead"),
)
FEATURES = ("int_usage_recent", "int_usage_weekdays", "int_usage_year_before", "int_usage_periods_ahead")
# (months, days) of a price's interval, as Stripe writes it
INTERVALS = {(1, 0): ("month", 1), (3, 0): ("month", 3), (12, 0): ("year", 1), (0, 7): ("week", 1), (0, 1): ("day", 1)}
PRICES = "account_id text, price_id text, billing_interval text, interval_count integer"
SEED = {"day": (0, 1), "week": (0, 7), "month": (1, 0), "year": (12, 0)}


@dataclass
class Company:
    """An account's days of usage, and the items with the events that they come from."""

    account: Account
    items: list[Metered]


def company_of(chance: random.Random) -> Company:
    """Items on several intervals, begun at any second, some ended in a period; events of which some are seen late."""
    first_load = AS_OF - DAY * chance.choice([60, 150])
    loads = [midnight(first_load) + timedelta(hours=6)]
    while loads[-1].date() <= AS_OF:
        loads.append(loads[-1] + DAY * chance.choice([1, 1, 1, 1, 1, 3]))
    loads[-1] = midnight(AS_OF + DAY) + timedelta(hours=6)
    account = Account(AS_OF, [], sorted(set(loads)))
    items = []
    for number in range(14):
        begun = midnight(AS_OF - DAY * chance.choice([1, 20, 100, 271, 390]))
        # summaries know minutes, so that periods begin on one
        started_at = begun + timedelta(minutes=chance.choice([0, 1, chance.randrange(1440)]))
        months, days = chance.choice([(1, 0)] * 4 + list(INTERVALS))
        ended_at = chance.choice([None, None, started_at + timedelta(days=chance.randrange(1, 380), minutes=7)])
        ended_at = None if ended_at and ended_at > midnight(AS_OF) else ended_at
        last_day = AS_OF if ended_at is None else (ended_at - timedelta(seconds=1)).date()
        item = Item(f"si_{number}", f"cus_{number}", "mtr_a", begun.date(), last_day)
        metered = Metered(item, started_at, months, days, "last" if number % 5 == 4 else "sum", ended_at)
        metered.events = events_of(metered, account, chance)
        items.append(metered)
    return filled(Company(account, items))


def events_of(item: Metered, account: Account, chance: random.Random) -> list[tuple[datetime, int, datetime]]:
    """A few a day, at any second; one of seven is seen by a later load. Some take off, where no day is shared."""
    least = -100 if item.formula == "sum" and item.started_at == midnight(item.started_at.date()) else 1
    events = []
    until = min(midnight(AS_OF + DAY), item.ended_at or midnight(AS_OF + DAY))
    for day in item.item.days():
        for _ in range(chance.choice([0, 1, 1, 2])):
            at = midnight(day) + timedelta(seconds=chance.randrange(86400))
            later = [load for load in account.loads if load.date() > day]
            seen_at = later[0] if chance.random() < 0.85 else chance.choice(later[:25])
            units = chance.randrange(least, 1000)
            if item.started_at <= at < until:
                events.append((at, units, seen_at))
    return events


def filled(company: Company) -> Company:
    """The days that loads saw, from the events."""
    account, values = company.account, {}
    for item in company.items:
        for day, events in groupby(sorted(item.events), key=lambda event: event[0].date()):
            seen_at = sorted({seen for _, _, seen in events})
            said = [(seen, value(item, midnight(day), midnight(day + DAY), seen)) for seen in seen_at]
            values[item.item.meter_id, item.item.customer_id, day] = said
    return Company(replace(account, items=[item.item for item in company.items], values=values), company.items)


def cut(company: Company, origin: date) -> Company:
    """What was there at the end of the origin, once its day was loaded."""
    account = company.account
    loads = [load for load in account.loads if load <= account.covered_at(origin)]
    items = []
    for item in company.items:
        events = [
            event for event in item.events if event[0] < midnight(origin + DAY) and is_known(account, event, origin)
        ]
        alive = item.ended_at is None or item.ended_at >= midnight(origin + DAY)
        last_day = min(origin, item.item.last_day)
        if item.item.first_day <= origin:
            ended_at = None if alive else item.ended_at
            items.append(replace(item, item=replace(item.item, last_day=last_day), ended_at=ended_at, events=events))
    return filled(Company(replace(account, as_of=origin, loads=loads), items))


def poisoned(company: Company, origin: date) -> Company:
    """The same up to the end of the origin; then absurd usage, late events of days before among it."""
    items = []
    for item in company.items:
        late = next(load for load in company.account.loads if load > company.account.covered_at(origin))
        before = [
            (at, 10**9, late) for at, _, _ in item.events if at < midnight(origin + DAY) and item.formula == "sum"
        ]
        after = [(at, 10**9, seen) for at, _, seen in item.events if at >= midnight(origin + DAY)]
        known = [event for event in item.events if event[0] < midnight(origin + DAY)]
        items.append(replace(item, events=known + before[::5] + after))
    return filled(Company(company.account, items))


def build_periods(sql: dict[str, str], company: Company) -> Bench:
    """The usage models and those of periods, of the company's items, events and loads."""
    account = company.account
    end = midnight(account.as_of + DAY)
    bench = build(sql, account)
    periods, summaries, revisions, subscriptions = [], [], [], []
    for item in company.items:
        owner = {"account_id": ACCOUNT, "customer_id": item.item.customer_id, "meter_id": "mtr_a"}
        key = owner | {"subscription_item_id": item.item.item_id, "subscription_id": f"sub_{item.item.item_id}"}
        price = "price_{}_{}".format(*INTERVALS[item.months, item.days])
        subscriptions.append(
            {"account_id": ACCOUNT, "subscription_id": key["subscription_id"], "anchor": item.started_at}
        )
        bench.con.execute(
            "update intermediate.int_usage_origins set price_id = ? where subscription_item_id = ?",
            [price, item.item.item_id],
        )
        # of one that is gone its item says nothing
        current = [*item.periods(end)][-1] if item.ended_at is None else (None, None)
        bench.con.execute(
            "update intermediate.int_subscription_items "
            "set ended_at = ?, current_period_start = ?, current_period_end = ? where subscription_item_id = ?",
            [item.ended_at, *current, item.item.item_id],
        )
        for start, stop in item.periods(end):
            billed = min(stop, item.ended_at or stop)
            until = min(billed, end)
            window = {"window_start": start, "window_end": until}
            periods.append(
                key | {"period_start": start, "period_end": billed, "used_until": until, "as_of": account.as_of}
                | {"aggregation_formula": item.formula, "is_trial": False, "price_id": price}
            )  # fmt: skip
            day = (until - timedelta(seconds=1)).date()
            covered_at = account.covered_at(max(day, item.item.first_day))
            seen_at = sorted({covered_at, *(s for at, _, s in item.events if start <= at < until and s > covered_at)})
            said = [(seen, value(item, start, until, seen)) for seen in seen_at]
            summaries.append(
                owner | window | {"quantity": said[-1][1], "is_revised": len(said) > 1, "first_seen_at": said[0][0]}
            )
            if len(said) > 1:
                revisions += [
                    owner | window | {"grain": "period", "usage_date": start.date(), "quantity": units}
                    | {"first_seen_at": seen, "superseded_at": until_seen}
                    for (seen, units), until_seen in zip(said, [*seen_at[1:], None], strict=True)
                ]  # fmt: skip
    con = bench.con
    put(bench, "intermediate.int_billing_periods", periods)
    put(bench, "staging.stg_stripe__meter_period_usage", summaries)
    con.execute("create temp table day_revisions as from staging.stg_stripe__meter_usage_revisions")
    con.execute("drop table staging.stg_stripe__meter_usage_revisions")
    put(bench, "staging.stg_stripe__meter_usage_revisions", revisions, REVISIONS)
    con.execute("insert into staging.stg_stripe__meter_usage_revisions by name from day_revisions")
    put(bench, "staging.stg_stripe__subscriptions", subscriptions)
    con.execute("alter table staging.stg_stripe__subscriptions rename anchor to billing_cycle_anchor_at")
    prices = [
        {"account_id": ACCOUNT, "price_id": f"price_{name}_{count}", "billing_interval": name, "interval_count": count}
        for name, count in INTERVALS.values()
    ]
    put(bench, "staging.stg_stripe__prices", prices, PRICES)
    intervals = [{"billing_interval": name, "months": months, "days": days} for name, (months, days) in SEED.items()]
    put(bench, "seeds.billing_intervals", intervals, "billing_interval text, months integer, days integer")
    for model in PERIOD_MODELS:
        bench.build("intermediate", model)
    return bench


def ahead(bench: Bench, where: str = "true") -> dict[tuple[str, date], list[tuple[object, ...]]]:
    """Rows of int_usage_periods_ahead by item and origin."""
    found: dict[tuple[str, date], list[tuple[object, ...]]] = {}
    for key, origin, *row in bench.con.execute(
        "select subscription_item_id, origin_date, period_number, period_start, period_end, quantity_so_far, "
        "first_horizon, last_horizon, first_share, last_share from intermediate.int_usage_periods_ahead "
        f"where {where} order by all"
    ).fetchall():
        found.setdefault((key, origin), []).append(tuple(row))
    return found


def noon(day: date) -> datetime:
    return midnight(day) + timedelta(hours=12)


def at_origin(bench: Bench, model: str, origin: date) -> list[tuple[object, ...]]:
    query = f"select * from intermediate.{model} where origin_date = '{origin}' order by all"
    scoring = " exclude (is_scoring)" if model == "int_usage_periods_ahead" else ""
    return bench.con.execute(query.replace("*", f"*{scoring}")).fetchall()
