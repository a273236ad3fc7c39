with

pairs as (select * from {{ ref('int_usage_driver_pairs') }}),
days as (select * from {{ ref('int_usage_driver_days') }}),

running as (

    select
        *,
        sum(quantity_change) over (
            partition by account_id, subscription_item_id, period_start
            order by usage_date nulls last rows between unbounded preceding and current row
        ) as quantity_so_far
    from days

),

effects as (

    select
        running.account_id,
        running.subscription_item_id,
        running.period_start,
        'quantity' as driver,
        running.usage_date,
        running.quantity_change,
        {{ part_by_day('running.quantity_so_far') }}
        - {{ part_by_day('running.quantity_so_far - running.quantity_change') }} as amount_minor
    from running
    inner join pairs
        on {{ same_keys('running', 'pairs', ['account_id', 'subscription_item_id', 'period_start']) }}
    union all
    select
        account_id,
        subscription_item_id,
        period_start,
        case when price_effect_minor is null then 'terms' else 'price' end as driver,
        cast(null as date) as usage_date,
        cast(0 as decimal(24, 6)) as quantity_change,
        coalesce(price_effect_minor, change_minor) as amount_minor
    from pairs
    where coalesce(price_effect_minor, change_minor) != 0

)

select
    effects.account_id,
    effects.subscription_item_id,
    pairs.customer_id,
    pairs.meter_id,
    pairs.currency,
    effects.period_start,
    pairs.previous_period_start,
    effects.driver,
    effects.usage_date,
    effects.quantity_change,
    cast(effects.amount_minor as bigint) as amount_minor
from effects
inner join pairs
    on {{ same_keys('effects', 'pairs', ['account_id', 'subscription_item_id', 'period_start']) }}
