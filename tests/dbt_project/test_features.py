"""Features of usage, held against their definitions worked out day by day, on accounts whose usage is revised."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pytest

from tests.dbt_project.compiled import Bench, compiled_models
from tests.oracles import features
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
REVISIONS = f"{WINDOW}, grain text, first_seen_at timestamp, superseded_at timestamp"
ITEMS = (
    "account_id text, subscription_item_id text, customer_id text, meter_id text, first_day date, last_day date, "
    "as_of date, is_metered boolean, ended_at timestamp"
)


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("compiled"), *MODELS)


def account_of(chance: random.Random) -> Account:
    """Items that begin and end anywhere, with silences; loads by the day or with gaps; values that arrive late."""
    meters = ["mtr_a", "mtr_b"]
    items = []
    for number in range(12):
        first_day = AS_OF - DAY * chance.choice([0, 1, 6, 30, 100, 380, 420])
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
    for n in range(450):
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
        usage.append(window | {"quantity": seen[-1][1], "first_seen_at": seen[0][0]})
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
        ended_at = None if item.last_day == AS_OF else datetime.combine(item.last_day + DAY, time())
        items.append(key | owner | lived | {"is_metered": True, "ended_at": ended_at})
        daily += [key | owner | {"usage_date": day, "quantity": account.newest(item, day)} for day in item.days()]
        origins += [key | {"origin_date": day} for day in origins_of(item)]
        for day in days_of(item):
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
    put(bench, "staging.stg_stripe__meter_usage", usage)
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


def origins_of(item: Item) -> list[date]:
    return [day for n in range(53) if item.first_day <= (day := AS_OF - timedelta(weeks=n)) <= item.last_day]


def days_of(item: Item) -> list[date]:
    return [day for day in item.days() if (day + DAY).day == 1 or day == AS_OF]


def same(left: object, right: object) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if left is None or right is None or isinstance(left, date):
        return left == right
    return float(left) == pytest.approx(float(right), rel=1e-9, abs=2e-6)  # type: ignore[arg-type] # all else are numbers


def wrong(bench: Bench, query: str, says: Callable[[str, date], Mapping[str, object]]) -> tuple[int, list[object]]:
    """How many rows the query has, and where one is not what the oracle says of its key (the first two columns)."""
    found = bench.con.execute(query)
    names = [column[0] for column in found.description or []]
    rows = found.fetchall()
    finds: list[object] = []
    for key, day, *values in rows:
        expected = says(key, day)
        finds += [
            (key, day, name, value, expected[name])
            for name, value in zip(names[2:], values, strict=True)
            if not same(value, expected[name])
        ]
    return len(rows), finds


@pytest.mark.parametrize("seed", range(3))
def test_features_are_what_their_definitions_say_of_the_usage_known_then(sql: dict[str, str], seed: int) -> None:
    account = account_of(random.Random(seed))  # noqa: S311 - chance, no secret
    items = {item.item_id: item for item in account.items}
    bench = build(sql, account)

    origins = sum(len(origins_of(item)) for item in account.items)
    select = "select subscription_item_id, origin_date, * exclude (account_id, subscription_item_id, origin_date)"
    for model, says in (
        ("int_usage_recent", lambda key, day: features.recent(account, items[key], day)),
        ("int_usage_weekdays", lambda key, day: features.weekdays(account, items[key], day)),
        ("int_usage_year_before", lambda key, day: {"lag_364": features.year_before(account, items[key], day)}),
    ):
        assert wrong(bench, f"{select} from intermediate.{model}", says) == (origins, []), model

    rows, finds = wrong(
        bench,
        "select customer_id, as_of_date, * exclude (account_id, customer_id, as_of_date, quota_share_last) "
        "from intermediate.int_customer_usage_asof",
        lambda key, day: dict(features.of_customer(account, key, day)),
    )
    assert rows == len({(item.customer_id, day) for item in account.items for day in days_of(item)})
    assert finds == []


def test_quiet_days_are_found_whatever_was_ruled_out_before_looking(sql: dict[str, str]) -> None:
    found, revised = 0, 0
    for seed in range(4):
        account = account_of(random.Random(100 + seed))  # noqa: S311 - chance, no secret
        bench = build(sql, account)
        rows = bench.con.execute("select customer_id, quiet_from from intermediate.int_quiet_days").fetchall()
        expected = {
            (customer, day)
            for customer in {item.customer_id for item in account.items}
            for day in features.quiet_days(account, customer)
            if day + 30 * DAY <= AS_OF
        }
        assert {row for row in rows if row[1] + 30 * DAY <= AS_OF} == expected
        found += len(expected)
        ((corrections,),) = bench.con.execute("select count(*) from intermediate.int_usage_corrections").fetchall()
        revised += corrections
    assert found > 10
    assert revised > 100


def daily_loads(since: date) -> list[datetime]:
    return [datetime.combine(since + DAY * n, time(6)) for n in range(1, (AS_OF - since).days + 2)]


def recent(bench: Bench, columns: str) -> list[tuple[object, ...]]:
    query = f"select {columns} from intermediate.int_usage_recent order by subscription_item_id, origin_date desc"
    return bench.con.execute(query).fetchall()


def test_an_item_on_its_first_day_one_never_used_and_one_that_ended(sql: dict[str, str]) -> None:
    new = Item("si_new", "cus_new", "mtr_a", AS_OF, AS_OF)
    idle = Item("si_idle", "cus_idle", "mtr_a", AS_OF - DAY, AS_OF)
    ended = Item("si_over", "cus_over", "mtr_a", AS_OF - 30 * DAY, AS_OF - 8 * DAY)
    account = Account(AS_OF, [new, idle, ended], daily_loads(AS_OF - 40 * DAY))
    account.values["mtr_a", "cus_new", AS_OF] = [(account.loads[-1], 5)]
    account.values["mtr_a", "cus_over", ended.last_day] = [(account.covered_at(ended.last_day), 23)]

    bench = build(sql, account)

    columns = (
        "subscription_item_id, origin_date, history_days, mean_7, mean_364, sd_28, zero_share_28, last_used_on, last_2"
    )
    assert recent(bench, columns) == [
        ("si_idle", AS_OF, 2, 0, 0, 0, 1, None, 0),
        ("si_new", AS_OF, 1, 5, 5, None, 0, AS_OF, None),
        # its last day lies after the last origin of its life
        ("si_over", AS_OF - 14 * DAY, 17, 0, 0, 0, 1, None, 0),
        ("si_over", AS_OF - 21 * DAY, 10, 0, 0, 0, 1, None, 0),
        ("si_over", AS_OF - 28 * DAY, 3, 0, 0, 0, 1, None, 0),
    ]
    ratios = "select customer_id, usage_ratio_7_28, days_since_last_usage from intermediate.int_customer_usage_asof"
    assert bench.con.execute(f"{ratios} where as_of_date = '{AS_OF}' order by 1").fetchall() == [
        ("cus_idle", None, None),
        ("cus_new", 1, 0),
    ]


def test_late_usage_counts_from_the_day_it_was_seen_and_a_late_first_load_stands_in(sql: dict[str, str]) -> None:
    item = Item("si_late", "cus_late", "mtr_a", AS_OF - 60 * DAY, AS_OF)
    account = Account(AS_OF, [item], daily_loads(AS_OF - 40 * DAY))
    old, raised, unseen = AS_OF - 50 * DAY, AS_OF - 21 * DAY, AS_OF - 14 * DAY
    at = {day: datetime.combine(day, time(6)) for day in item.days()}
    account.values["mtr_a", "cus_late", old] = [(account.loads[0], 100)]
    account.values["mtr_a", "cus_late", raised] = [(at[raised + DAY], 5), (at[raised + 8 * DAY], 50)]
    account.values["mtr_a", "cus_late", unseen] = [(at[unseen + 7 * DAY], 7)]

    bench = build(sql, account)

    assert recent(bench, "origin_date, last_1, mean_28 * least(history_days, 28)") == [
        (AS_OF, 0, 57),
        (AS_OF - 7 * DAY, 0, 57),  # what was seen on the origin itself is known at its end
        (AS_OF - 14 * DAY, 0, 5),  # 50 was seen the day after; nothing of that day yet
        (AS_OF - 21 * DAY, 5, 5 + 0),
        (AS_OF - 28 * DAY, 0, 100),
        (AS_OF - 35 * DAY, 0, 100),
        (AS_OF - 42 * DAY, 0, 100),  # before the first load: what that read of it
        (AS_OF - 49 * DAY, 0, 100),
        (AS_OF - 56 * DAY, 0, 0),
    ]
    late = "select max(usage_date) from intermediate.int_usage_cover where is_backfilled"
    # the first load came on the 39th day before as_of: it saw the two days before it in time
    assert bench.con.execute(late).fetchall() == [(AS_OF - 42 * DAY,)]
