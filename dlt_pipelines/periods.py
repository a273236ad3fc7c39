"""Which billing periods are asked for, in DuckDB's SQL, and whether a bill stands for what a period used.

The statements run after those of usage_sql.py, with the same variables and names in braces.
"""

from decimal import Decimal
from typing import NamedTuple

# What a window is: a period that is over, one that is running up to the end of cover, or a minute that two periods
# share because they meet at one of its seconds.
PERIOD, SO_FAR, SHARED_MINUTE = "period", "so_far", "shared_minute"

# Invoices made before bill no period that is still read: only lines that are new are opened of them. All are opened
# (0) while the periods of some meter have never been read. Unix seconds.
LINES_FROM = """
select if(count(*) = count(cover.meter_id), coalesce(epoch(min(cover.whole_from))::bigint, 0), 0)
from (select distinct meter_id from metered_prices) as meters
left join cover on meters.meter_id = cover.meter_id and cover.kind = 'meter_usage_periods'
"""

# Where the lines are that may bill such a period, as they are now.
NEWEST_LINES = """
create temp table newest_lines as
with chosen as (
    select id from {invoices} where created >= getvariable('lines_from')
    union
    select parent_id from {invoice_lines} where loaded_at > getvariable('stamp')
)
select {newest} as position
from {invoice_lines}
where getvariable('lines_from') = 0 or parent_id in (select id from chosen)
group by id
"""

NO_LINES = """
create temp table billed_lines (
    invoice_id varchar,
    loaded_at timestamp,
    customer_id varchar,
    meter_id varchar,
    price_id varchar,
    item_id varchar,
    period_start bigint,
    period_end bigint,
    units decimal(38, 12)
)
"""

# What those of one stretch of rows bill: metered prices but for prorations, with units, which a flat fee has none of:
# it is a line of its own, of one.
BILLED_LINES = """
insert into billed_lines
with read as (
    select
        parent_id as invoice_id,
        loaded_at,
        json_extract_string(payload, [
            '$.pricing.price_details.price', '$.parent.subscription_item_details.subscription',
            '$.parent.subscription_item_details.subscription_item', '$.parent.subscription_item_details.proration',
            '$.period.start', '$.period.end', '$.amount', '$.quantity', '$.quantity_decimal'
        ]) as found
    from {invoice_lines}
    where rowid between {first} and {last}
        and rowid in (select position from newest_lines where position between {first} and {last})
        and not is_deleted
)
select
    read.invoice_id,
    read.loaded_at,
    owners.customer_id,
    prices.meter_id,
    prices.id as price_id,
    read.found[3] as item_id,
    read.found[5]::bigint as period_start,
    read.found[6]::bigint as period_end,
    case
        when coalesce(read.found[9], read.found[8])::decimal(38, 12) = 1
            and list_contains(prices.flat_amounts, read.found[7]::bigint) then 0
        else coalesce(read.found[9], read.found[8], '0')::decimal(38, 12)
    end as units
from read
inner join metered_prices as prices on read.found[1] = prices.id
left join owners on read.found[2] = owners.id
where coalesce(read.found[2], read.found[3], read.found[4]) is not null
    and read.found[4] is distinct from 'true'
    and read.found[5]::bigint < read.found[6]::bigint
"""

# A line may not name its subscription; then its invoice says whose it is.
BILLED = """
create temp table billed as
with orphans as (
    select id, json_extract_string(payload, '$.customer') as customer_id
    from {invoices}
    where id in (select invoice_id from billed_lines where customer_id is null)
    qualify row_number() over (partition by id order by loaded_at desc, rowid desc) = 1
),
owned as (
    select billed_lines.* replace (coalesce(billed_lines.customer_id, orphans.customer_id) as customer_id)
    from billed_lines
    left join orphans on billed_lines.invoice_id = orphans.id
)
select
    meter_id,
    customer_id,
    period_start,
    period_end,
    price_id,
    item_id,
    sum(units) filter (where item_id is not null) as units,
    max(loaded_at) as loaded_at
from owned
where customer_id is not null
group by meter_id, customer_id, period_start, period_end, price_id, item_id
"""

# A summary's bounds are whole minutes. A period of two items is asked for once; one that landed and is past the reach
# of late events is not asked for again.
ASKED = """
create temp table asked_periods as
with spans as (
    select meter_id, customer_id, period_start, period_end from billed
    union
    select
        items.meter_id,
        owners.customer_id,
        items.period_start,
        least(items.period_end, coalesce(owners.ended, items.period_end))
    from metered_items as items
    inner join owners on items.parent_id = owners.id
    where items.replaced_at is null and items.period_start is not null and items.period_end is not null
),
minutes as (
    select
        meter_id,
        customer_id,
        make_timestamp((period_start - period_start % 60) * 1000000) as window_start,
        make_timestamp((period_end - period_end % 60) * 1000000) as ends
    from spans
    where period_start < period_end
),
windows as (
    select distinct
        meter_id,
        customer_id,
        window_start,
        least(ends, getvariable('until')) as window_end,
        if(ends <= getvariable('until'), 'period', 'so_far') as grain
    from minutes
    where window_start < least(ends, getvariable('until'))
),
landed as (
    select distinct meter_id, customer_id, window_start, window_end, grain
    from {meter_usage_period_revisions}
    where grain = 'period'
),
wanted as (
    select * from windows anti join landed using (meter_id, customer_id, window_start, window_end, grain)
    union all
    select landed.*
    from landed
    left join cover on landed.meter_id = cover.meter_id and cover.kind = 'meter_usage_periods'
    where landed.window_end > coalesce(cover.reads_from, '-infinity'::timestamp)
)
select
    row_number() over (order by meter_id, customer_id, window_start, window_end) - 1 as no,
    *
from wanted
anti join deleted_customers using (customer_id)
"""

HELD = """
create temp table held_{asked} as
select meter_id, customer_id, window_start, window_end, grain, arg_max(aggregated_value, first_seen_at) as held
from {meter_usage_period_revisions}
semi join asked_{asked} using (meter_id, customer_id, window_start, window_end, grain)
group by all
"""

# The bills of the closed periods among some requests.
BILLS = """
select asked.no, billed.period_start, billed.period_end, billed.units, prices.divide_by, prices.rounding
from asked_periods as asked
inner join billed on asked.meter_id = billed.meter_id and asked.customer_id = billed.customer_id
inner join metered_prices as prices on billed.price_id = prices.id
where asked.no between ? and ?
    and asked.grain = 'period'
    and epoch(asked.window_start)::bigint = billed.period_start - billed.period_start % 60
    and epoch(asked.window_end)::bigint = billed.period_end - billed.period_end % 60
    and billed.units is not null
"""


SHARED = """
create temp table asked_minutes as
select
    row_number() over (order by meter_id, customer_id, window_start) - 1 as no,
    meter_id,
    customer_id,
    window_start,
    window_start + to_minutes(1) as window_end,
    'shared_minute' as grain
from (select distinct meter_id, customer_id, window_start from shared_minutes)
"""

# What changes among some requests: `found` is what they listed.
REVISED = """
select
    getvariable('account_id') as account_id,
    asked.meter_id,
    asked.customer_id,
    asked.window_start,
    asked.window_end,
    asked.grain,
    found.value as aggregated_value,
    getvariable('now') as first_seen_at
from asked_{asked} as asked
inner join found on asked.no = found.no
left join held_{asked} as held
    on asked.meter_id = held.meter_id
        and asked.customer_id = held.customer_id
        and asked.window_start = held.window_start
        and asked.window_end = held.window_end
        and asked.grain = held.grain
where asked.no between ? and ? and found.value is distinct from held.held
order by asked.no
"""


class Bill(NamedTuple):
    """What an item's lines bill for one period: `units` of a price, which may count packages of `divide_by`.

    no: of the request for the period; start, end: unix seconds, to the second as Stripe bills them.
    """

    no: int
    start: int
    end: int
    units: Decimal
    divide_by: int | None
    rounding: str | None

    def stands_for(self, used: Decimal) -> bool:
        """Whether it is the bill for `used` units; packages are counted whole, and nobody is billed less than 0."""
        used = max(used, Decimal(0))
        if self.divide_by is None:
            return used == self.units
        if self.rounding == "up":
            return 0 < used - (self.units - 1) * self.divide_by <= self.divide_by
        return 0 <= used - self.units * self.divide_by < self.divide_by

    def shared_minutes(self) -> list[int]:
        """The minutes (unix seconds) that the period begins and ends in, where it does so within one.

        Summaries know minutes and bills know seconds, so these bound what a window holds too much or too little.
        """
        return [at - at % 60 for at in (self.start, self.end) if at % 60]
