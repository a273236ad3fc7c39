with

items as (select * from {{ ref('int_subscription_items') }}),
periods as (select * from {{ ref('int_usage_periods') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

periods_begun as (

    select
        account_id,
        subscription_item_id,
        counts_from,
        -- of periods shorter than a day the last one
        arg_max(price_id, period_start) as price_id
    from periods
    group by
        account_id,
        subscription_item_id,
        counts_from

),

item_days as (

    select
        items.*,
        {{ days_between('items.first_day', 'items.last_day') }} as usage_date
    from items
    where
        items.is_metered
        and items.meter_id is not null
        and items.first_day <= items.last_day

),

filled as (

    select
        item_days.account_id,
        item_days.subscription_item_id,
        item_days.subscription_id,
        item_days.customer_id,
        item_days.meter_id,
        item_days.meter_event_name,
        item_days.price_id,
        item_days.currency,
        item_days.usage_date,
        coalesce(meter_usage.quantity, 0) as quantity
    from item_days
    left join meter_usage
        on
            item_days.account_id = meter_usage.account_id
            and item_days.meter_id = meter_usage.meter_id
            and item_days.customer_id = meter_usage.customer_id
            and item_days.usage_date = meter_usage.usage_date

),

priced as (

    select
        filled.account_id,
        filled.subscription_item_id,
        filled.subscription_id,
        filled.customer_id,
        filled.meter_id,
        filled.meter_event_name,
        -- the price of the period that bills the day, which is the item's own only since its last change
        coalesce(periods_begun.price_id, filled.price_id) as price_id,
        filled.currency,
        filled.usage_date,
        cast(filled.quantity as decimal(18, 6)) as quantity
    from filled
    asof left join periods_begun
        on
            filled.account_id = periods_begun.account_id
            and filled.subscription_item_id = periods_begun.subscription_item_id
            and filled.usage_date >= periods_begun.counts_from

)

select * from priced
