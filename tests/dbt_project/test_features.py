"""Features of usage, held against their definitions worked out day by day, on accounts whose usage is revised."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, datetime, time

import numpy as np
import pytest

from ml import asof
from ml.panel import BLOCKS, SCALARS
from tests.dbt_project.compiled import Bench, compiled_models
from tests.dbt_project.metered_periods import (
    FEATURES,
    PERIOD_MODELS,
    Company,
    ahead,
    at_origin,
    build_periods,
    company_of,
    cut,
    noon,
    poisoned,
)
from tests.dbt_project.usage_accounts import AS_OF, MODELS, account_of, build, days_of, origins_of
from tests.oracles import features, periods_ahead
from tests.oracles.features import DAY, Account, Item
from tests.oracles.periods_ahead import Metered


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("compiled"), *MODELS, *PERIOD_MODELS, "usage_asof")


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
    account = account_of(random.Random(seed), oldest=760)  # noqa: S311 - chance, no secret
    items = {item.item_id: item for item in account.items}
    bench = build(sql, account)

    origins = sum(len(origins_of(item)) for item in account.items)
    select = "select subscription_item_id, origin_date, * exclude (account_id, subscription_item_id, origin_date)"
    for model, says in (
        ("int_usage_recent", lambda key, day: features.recent(account, items[key], day)),
        ("int_usage_weekdays", lambda key, day: features.weekdays(account, items[key], day)),
        ("int_usage_year_before", lambda key, day: {"year_before": features.year_before(account, items[key], day)}),
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


@pytest.mark.parametrize("seed", range(2))
def test_periods_ahead_are_the_calendars_and_hold_what_was_known_to_be_used(sql: dict[str, str], seed: int) -> None:
    company = company_of(random.Random(seed))  # noqa: S311 - chance, no secret
    bench = build_periods(sql, company)

    found, expected = ahead(bench), {}
    for item in company.items:
        for origin in [AS_OF - 28 * DAY * back for back in range(13)]:
            end = datetime.combine(origin + DAY, time())
            if item.item.first_day <= origin and (item.ended_at is None or item.ended_at >= end):
                expected[item.item.item_id, origin] = periods_ahead.periods_of(company.account, item, origin)
    assert set(found) == set(expected)
    wrong = [(key, found[key], rows) for key, rows in expected.items() if not same(found[key], rows)]
    assert wrong == []


def test_features_on_data_cut_at_the_origin_are_the_same_and_a_poisoned_future_changes_none(
    sql: dict[str, str],
) -> None:
    company, origin = company_of(random.Random(7)), AS_OF - 28 * DAY  # noqa: S311 - chance, no secret
    whole = build_periods(sql, company)
    cut_off = build_periods(sql, cut(company, origin))
    spoilt = build_periods(sql, poisoned(company, origin))

    for model in FEATURES:
        rows = at_origin(whole, model, origin)
        assert len(rows) > 5
        assert at_origin(cut_off, model, origin) == rows, model
        assert at_origin(spoilt, model, origin) == rows, model
        assert at_origin(spoilt, model, AS_OF) != at_origin(whole, model, AS_OF), model


def test_a_year_ago_is_as_it_was_known_and_lies_in_its_place_where_weeks_are_missing(sql: dict[str, str]) -> None:
    item = Item("si_old", "cus_old", "mtr_a", AS_OF - 500 * DAY, AS_OF)
    account = Account(AS_OF, [item], daily_loads(AS_OF - 450 * DAY))
    for day in item.days():
        account.values["mtr_a", "cus_old", day] = [(account.covered_at(day), day.toordinal() % 1000)]
    revised = AS_OF - 364 * DAY
    account.values["mtr_a", "cus_old", revised].append((datetime.combine(AS_OF - 10 * DAY, time(6)), 5000))
    bench = build(sql, account)

    ago = "select origin_date, year_before from intermediate.int_usage_year_before order by 1 desc"
    for origin, found in bench.con.execute(ago).fetchall():
        assert same(list(found), features.year_before(account, item, origin)), origin
    # the year before as_of - 7 holds the value that was said since as_of - 10, an older one what was said before
    last_year = "select list_contains(year_before::double[], 5000) from intermediate.int_usage_year_before"
    assert (
        bench.con.execute(f"{last_year} order by origin_date desc limit 4").fetchall() == [(True,)] * 2 + [(False,)] * 2
    )

    gap = f"usage_date between '{AS_OF - 363 * DAY}' and '{AS_OF - 350 * DAY}'"
    bench.con.execute(f"delete from marts.fct_usage_daily where {gap}")
    for model in ("int_usage_weeks", "int_usage_weeks_corrected", "int_usage_year_before"):
        bench.build("intermediate", model)
    ((found,),) = bench.con.execute(f"select year_before from ({ago}) limit 1").fetchall()
    expected = features.year_before(account, item, AS_OF)
    assert list(found) == expected[:28] + [None] * 14 + expected[42:]


def test_features_of_a_panel_are_those_of_the_warehouse(sql: dict[str, str]) -> None:
    account = account_of(random.Random(5), oldest=760)  # noqa: S311 - chance, no secret
    account.values = {key: seen[:1] for key, seen in account.values.items() if seen[0][0] == account.covered_at(key[2])}
    bench = build(sql, account)
    bench.con.execute(
        "create table intermediate.int_usage_spans as select *, 'sub' as subscription_id, 'usd' as currency "
        "from intermediate.int_subscription_items"
    )
    history = "account_id text, subscription_id text, plan text, known_from timestamp, known_to timestamp"
    bench.con.execute(f"create table intermediate.int_plan_history ({history})")
    bench.build("intermediate", "usage_asof")

    first = min(item.first_day for item in account.items)
    daily = np.full((len(account.items), (AS_OF - first).days + 1), np.nan)
    for row, item in enumerate(account.items):
        for day in item.days():
            daily[row, (day - first).days] = account.newest(item, day)
    numbers = {item.item_id: row for row, item in enumerate(account.items)}
    found = bench.con.execute("select * from intermediate.usage_asof").fetchnumpy()
    items = np.array([numbers[key] for key in found["subscription_item_id"]])
    days = np.asarray(found["origin_date"], dtype="datetime64[D]")
    positions = (days - np.datetime64(first)).astype(np.int64)

    computed = asof.features(daily, items, positions, first.weekday())

    assert set(SCALARS) | set(BLOCKS) <= set(computed)
    assert len(items) > 100
    for name, values in computed.items():
        stored = np.ma.filled(np.ma.stack(list(found[name])).astype(float), np.nan)
        # the warehouse rounds its deviations to six places, so that they do not hang on the order of days
        np.testing.assert_allclose(values, stored, rtol=1e-9, atol=5e-7 if name == "sd_28" else 0, err_msg=name)


def test_periods_of_an_unused_meter_an_unknown_price_a_stub_and_one_that_ended_early(sql: dict[str, str]) -> None:
    begun = noon(date(2026, 8, 31))
    life = Item("si", "cus", "mtr_a", begun.date(), AS_OF)
    gone = Item("si_gone", "cus_gone", "mtr_a", begun.date(), AS_OF - 20 * DAY)
    company = Company(
        Account(AS_OF, [life, gone], daily_loads(begun.date())),
        [
            Metered(life, begun, 1, 0, "sum"),
            Metered(gone, begun, 1, 0, "sum", datetime.combine(AS_OF - 19 * DAY, time(9))),
        ],
    )
    bench = build_periods(sql, company)
    con, rebuilt = bench.con, ("int_billing_periods_scheduled", "int_usage_so_far", "int_usage_periods_ahead")
    # days are counted from the anchor's own, whatever the months between have
    ends = [noon(date(2026, 10, 31)), noon(date(2026, 11, 30)), noon(date(2026, 12, 31))]
    rows = ahead(bench, f"origin_date = '{AS_OF}'")["si", AS_OF]
    assert [(row[2], row[3]) for row in rows] == [(end, 0) for end in ends]
    # it ended within the period that was scheduled to run to the month's end
    (row, *_) = ahead(bench)["si_gone", AS_OF - 28 * DAY]
    assert row[1:4] == (noon(date(2026, 9, 30)), noon(date(2026, 10, 31)), 0)

    # Stripe says that its running period is cut short: from there on it counts by its new day
    con.execute(
        "update intermediate.int_billing_periods set period_end = '2026-11-05 12:00' where period_end > '2026-10-29'"
    )
    con.execute(
        "update intermediate.int_subscription_items set ended_at = null, current_period_end = '2026-11-05 12:00'"
    )
    for model in rebuilt:
        bench.build("intermediate", model)
    rows = ahead(bench)["si", AS_OF]
    assert [row[2] for row in rows] == [noon(date(2026, 11, 5)), noon(date(2026, 12, 5)), noon(date(2027, 1, 5))]

    con.execute("delete from staging.stg_stripe__prices")
    for model in rebuilt:
        bench.build("intermediate", model)
    assert [row[2] for row in ahead(bench)["si", AS_OF]] == [noon(date(2026, 11, 5))]
