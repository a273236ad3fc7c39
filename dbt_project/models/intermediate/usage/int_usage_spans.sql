{# Metered items with the price and meter that bill their days: the price of the period that a day counts to, which is
   the item's own only since its last change. Open ends are left open: as_of moves on without changing a span. #}
with

items as (select * from {{ ref('int_subscription_items') }}),
periods as (select * from {{ ref('int_usage_periods') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),

terms as (

    select
        account_id,
        subscription_item_id,
        counts_from as first_day,
        -- of periods shorter than a day the last one
        {{ latest_by('price_id', 'period_start') }} as price_id,
        {{ latest_by('meter_id', 'period_start') }} as meter_id
    from periods
    group by
        account_id,
        subscription_item_id,
        counts_from
    union all
    -- before the first period known
    select
        account_id,
        subscription_item_id,
        date '0001-01-01' as first_day,
        price_id,
        meter_id
    from items
    where is_metered

),

compared as (

    select
        *,
        lag(price_id) over by_item as price_before,
        lag(meter_id) over by_item as meter_before
    from terms
    window by_item as (partition by account_id, subscription_item_id order by first_day)

),

runs as (

    select
        account_id,
        subscription_item_id,
        price_id,
        meter_id,
        first_day,
        lead(first_day) over (partition by account_id, subscription_item_id order by first_day) - 1 as last_day
    from compared
    where
        price_before is null
        or price_before != price_id
        or meter_before != meter_id

),

lived as (

    select
        items.account_id,
        items.subscription_item_id,
        items.subscription_id,
        items.customer_id,
        runs.meter_id,
        meters.meter_event_name,
        runs.price_id,
        items.currency,
        greatest(runs.first_day, items.first_day) as first_day,
        -- the last UTC day on which the item was there for some time, null while it has no end
        least(runs.last_day, cast(items.ended_at - interval '1 microsecond' as date)) as last_day
    from items
    inner join runs
        on {{ same_keys('items', 'runs', ['account_id', 'subscription_item_id']) }}
    left join meters
        on {{ same_keys('runs', 'meters', ['account_id', 'meter_id']) }}
    where
        items.is_metered
        and runs.meter_id is not null

),

counted as (

    select
        *,
        max(coalesce(last_day, date '9999-12-30')) over (
            partition by account_id, customer_id, meter_id
            order by first_day, subscription_item_id rows between unbounded preceding and 1 preceding
        ) + 1 as free_from
    from lived
    where
        last_day is null
        or first_day <= last_day

)

select
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    meter_id,
    meter_event_name,
    price_id,
    currency,
    first_day,
    last_day,
    -- of items that share a customer's meter the one that came first counts its usage, as long as it lasts
    greatest(first_day, free_from) as counted_from
from counted
