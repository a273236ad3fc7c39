"""Accounts whose usage is revised, and the usage models built of them: no warehouse, no dbt run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import pyarrow as pa

from tests.dbt_project.compiled import Bench
from tests.oracles.features import DAY, Account, Item

MODELS = (
    *("int_usage_cover", "int_usage_corrections", "int_usage_weeks", "int_usage_weeks_corrected"),
    *("int_usage_weeks_known", "int_usage_recent", "int_usage_weekdays", "int_usage_year_before"),
    *("int_customer_items_asof", "int_customer_items_corrected", "int_customer_usage_asof"),
    *("int_quiet_days_suspected", "int_quiet_days"),
)
AS_OF = date(2026, 10, 28)
ACCOUNT = "acct_test"
WINDOW = "account_id text, meter_id text, customer_id text, usage_date date, quantity decimal(18, 6)"
TIMES = "window_start timestamp, window_end timestamp, first_seen_at timestamp, superseded_at timestamp"
REVISIONS = f"{WINDOW}, grain text, {TIMES}"
ITEMS = (
    "account_id text, subscription_item_id text, customer_id text, meter_id text, first_day date, last_day date, "
    "as_of date, is_metered boolean, ended_at timestamp, current_period_start timestamp, current_period_end timestamp"
)


def account_of(chance: random.Random, oldest: int = 420) -> Account:
    """Items that begin and end anywhere, with silences; loads by the day or with gaps; values that arrive late."""
    meters = ["mtr_a", "mtr_b"]
    items = []
    for number in range(12):
        first_day = AS_OF - DAY * chance.choice([0, 1, 6, 30, 100, 380, oldest])
        last_day = AS_OF if chance.random() < 0.7 else min(AS_OF, first_day + DAY * chance.randrange(1, 300))
        items.append(Item(f"si_{number}", f"cus_{number % 7}", chance.choice(meters), first_day, last_day))
    first = AS_OF - DAY * chance.choice([-1, 40, 150])
    loads = [datetime.combine(first, time(6))]
    while loads[-1].date() <= AS_OF:
        loads.append(loads[-1] + DAY * chance.choice([1, 1, 1, 1, 1, 1, 1, 1, 2, 45]))
    loads[-1] = datetime.combine(AS_OF + DAY, time(6))
    account = Account(AS_OF, items, sorted(set(loads)))
    for item in {(one.meter_id, one.customer_id): one for one in items}.values():
        fill(account, item, chance)
    return account


def fill(account: Account, item: Item, chance: random.Random) -> None:
    """Windows of a customer and meter: most are read once and never change; days without usage have none."""
    level, silent_from = chance.choice([3, 900]), AS_OF - DAY * chance.randrange(1, 300)
    silence = range(chance.choice([0, 29, 30, 31, 75]))
    silent = {silent_from + DAY * n for n in silence}
    for n in range((AS_OF - account.since(item)).days + 30):
        day = AS_OF - DAY * n
        full = chance.randrange(level // 2, level * 2) if chance.random() < 0.9 else 0
        value = (level // 50 if chance.random() < 0.3 else 0) if day in silent else full
        covering = [at for at in account.loads if at.date() > day]
        seen = [(covering[0], value)] if value else []
        for at in covering[1:]:
            if chance.random() < 0.08 and at.date() - day < DAY * 60:
                value = chance.choice([0, value + 1, value + level, full])
                seen.append((at, value))
        if seen:
            account.values[item.meter_id, item.customer_id, day] = seen


def build(sql: dict[str, str], account: Account) -> Bench:
    """The models on what the account's loads left."""
    bench = Bench(sql)
    usage, revisions, daily = [], [], []
    for (meter, customer, day), seen in account.values.items():
        window = {"account_id": ACCOUNT, "meter_id": meter, "customer_id": customer, "usage_date": day}
        midnight = {"window_start": datetime.combine(day, time())}
        usage.append(window | midnight | {"quantity": seen[-1][1], "first_seen_at": seen[0][0]})
        later = [at for at, _ in seen[1:]] + [None]
        if len({value for _, value in seen}) > 1:
            revisions += [
                window | {"grain": "day", "quantity": value, "first_seen_at": at, "superseded_at": until}
                for (at, value), until in zip(seen, later, strict=True)
            ]
    items, origins, customer_days = [], [], {}
    for item in account.items:
        key = {"account_id": ACCOUNT, "subscription_item_id": item.item_id}
        owner = {"customer_id": item.customer_id, "meter_id": item.meter_id}
        lived = {"first_day": item.first_day, "last_day": item.last_day, "as_of": account.as_of}
        ended_at = None if item.last_day == account.as_of else datetime.combine(item.last_day + DAY, time())
        items.append(key | owner | lived | {"is_metered": True, "ended_at": ended_at})
        daily += [key | owner | {"usage_date": day, "quantity": account.newest(item, day)} for day in item.days()]
        origins += [
            key | {"origin_date": day, "is_scoring": day == account.as_of, "price_id": "price"}
            for day in origins_of(item, account.as_of)
        ]
        for day in days_of(item, account.as_of):
            owner_day = {"account_id": ACCOUNT, "customer_id": item.customer_id, "as_of_date": day}
            customer_days[item.customer_id, day] = owner_day | {"valued_until": datetime.combine(day + DAY, time())}
    report = [
        {"account_id": ACCOUNT, "meter_id": meter, "kind": "meter_usage", "loaded_at": at, "covered_until": until}
        for meter in ("mtr_a", "mtr_b")
        for at in account.loads
        for until in [datetime.combine(at.date(), time())]
    ]
    put(bench, "intermediate.int_as_of", [{"account_id": ACCOUNT, "as_of": account.as_of}])
    put(bench, "staging.stg_stripe__load_report", report)
    put(bench, "staging.stg_stripe__meter_usage", usage, f"{WINDOW}, window_start timestamp, first_seen_at timestamp")
    put(bench, "staging.stg_stripe__meter_usage_revisions", revisions, REVISIONS)
    put(bench, "intermediate.int_subscription_items", items, ITEMS)
    put(bench, "marts.fct_usage_daily", daily)
    put(bench, "intermediate.int_usage_origins", origins)
    put(bench, "intermediate.int_customer_days", list(customer_days.values()))
    quotas = "select ''::varchar as account_id, '' as customer_id, as_of as as_of_date, 0.5 as quota_share_last"
    bench.con.execute(f"create table intermediate.int_customer_quotas_asof as {quotas} from intermediate.int_as_of")
    for model in MODELS:
        bench.build("intermediate", model)
    return bench


def put(bench: Bench, table: str, rows: Sequence[Mapping[str, object]], columns: str = "") -> None:
    """A table of these rows, made with `columns` (names and types) where there may be none or a column may be empty."""
    if columns:
        bench.con.execute(f"create table {table} ({columns})")
    if rows:
        found = pa.table({name: pa.array([row[name] for row in rows]) for name in rows[0]})  # noqa: F841 - the query reads it
        exact = "* replace (cast(quantity as decimal(18, 6)) as quantity)" if "quantity" in rows[0] else "*"
        into = f"insert into {table} by name" if columns else f"create table {table} as"
        bench.con.execute(f"{into} select {exact} from found")


def origins_of(item: Item, as_of: date = AS_OF) -> list[date]:
    """as_of and every week before it for a year, while the item is there."""
    return [day for n in range(53) if item.first_day <= (day := as_of - timedelta(weeks=n)) <= item.last_day]


def days_of(item: Item, as_of: date = AS_OF) -> list[date]:
    """Month ends and as_of, while the item is there."""
    return [day for day in item.days() if (day + DAY).day == 1 or day == as_of]
