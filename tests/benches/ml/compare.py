"""What a sandbox company's forecast said beside what came and what was true; `python -m tests.benches.ml.compare`.

Arguments: the warehouse as it was when the forecast was made, the one of 28 days later, and the truth told at both
times (`sandbox truth --json --table expected_usage`). Prints JSON: `sums`, a row per item (meter, what came, then what
was expected by us, the two naive methods, the truth as known then, and the truth that knows what has begun since), over
the days the item lived; `days`, a row per meter (days, of those inside 80 %, inside 95 %); `invoices`, a row per
subscription's period a quarter over (metered amount, our median, run-rate, inside 80 %, inside 95 %); `periods`,
a row per meter (items' billing periods in the backtest, of those inside 80 %, inside 95 %); `bands`, coverage of days
in the model's own backtest (metric, segment, value, n).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

DAYS = 28
TRUTH = """
create temp table {name} as
with told as (select unnest(expected_usage) as item from read_json(?, maximum_object_size = 1000000000)),
days as (
    select
        item.customer, item.event_name, unnest(item."values") as value,
        cast(item.start_date as date) + cast(generate_subscripts(item."values", 1) - 1 as integer) as day
    from told
)
select customer, event_name, day, sum(value) as value from days group by all
"""
DAILY = """
create temp table days as
select
    said.*, came.meter_event_name as meter, cast(came.quantity as double) as quantity,
    coalesce(known_then.value, 0) as oracle_then, coalesce(known_since.value, 0) as oracle
from before.marts.usage_forecast as said
inner join marts.fct_usage_daily as came
    on said.account_id = came.account_id and said.subscription_item_id = came.subscription_item_id
    and said.forecast_date = came.usage_date
left join known_then
    on came.customer_id = known_then.customer and came.meter_event_name = known_then.event_name
    and came.usage_date = known_then.day
left join known_since
    on came.customer_id = known_since.customer and came.meter_event_name = known_since.event_name
    and came.usage_date = known_since.day
where said.is_current and said.horizon <= ?
"""
QUERIES = {
    "sums": """
        select
            meter, sum(quantity), sum(yhat_mean), sum(seasonal_naive), sum(weekday_mean), sum(oracle_then), sum(oracle)
        from days group by subscription_item_id, meter order by subscription_item_id
    """,
    "days": """
        select
            meter, count(*), count(*) filter (quantity between q10 and q90),
            count(*) filter (quantity between q025 and q975)
        from days group by meter order by meter
    """,
    # nearer to a quarter of the period than to its beginning or its middle, as in forecast_report_card
    "invoices": """
        select
            cast(actual_minor as bigint), cast(median_minor as bigint), cast(run_rate_minor as bigint),
            actual_minor between q10_minor and q90_minor, actual_minor between q025_minor and q975_minor
        from before.intermediate.int_subscription_periods_backtested
        where actual_minor > 0 and run_rate_minor is not null
            and days_elapsed / cast(days_in_period as double) between 0.125 and 0.375
        order by account_id, subscription_id, as_of, period_end
    """,
    "periods": """
        select
            count(*), count(*) filter (actual_quantity between q10_quantity and q90_quantity),
            count(*) filter (actual_quantity between q025_quantity and q975_quantity)
        from before.intermediate.int_open_periods_backtested
        group by meter_id
        order by meter_id
    """,
    "bands": """
        select metric, segment, value, n from before.marts.model_performance
        where model_name = 'usage_forecast' and metric like 'cov%' and value is not null and run_id = (
            select max(run_id) from before.marts.model_performance where model_name = 'usage_forecast'
        )
        order by metric, segment
    """,
}


def compare(before: Path, after: Path, told_then: Path, told_since: Path) -> dict[str, list[tuple[object, ...]]]:
    """The lists that the module's docstring names."""
    with duckdb.connect(str(after), read_only=True, config={"threads": 1}) as connection:
        connection.execute(f"attach '{before}' as before (read_only)").fetchall()
        for name, file in (("known_then", told_then), ("known_since", told_since)):
            connection.execute(TRUTH.format(name=name), [str(file)]).fetchall()
        connection.execute(DAILY, [DAYS]).fetchall()
        return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


if __name__ == "__main__":
    print(json.dumps(compare(*map(Path, sys.argv[1:]))))
