with

periods as (select * from {{ ref('int_open_periods_forecast') }}),
pairs as (select * from {{ ref('int_plan_prices_paired') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'tier_upgrade'),

pressed as (

    select
        periods.*,
        kinds.kind,
        {{ value_months('kinds.value_months') }} as value_months,
        -- widened first, here and below: a product of two short decimals overflows at a few million units
        cast(kinds.min_quota_share as decimal(38, 6)) * periods.included_units as threshold_quantity,
        {{ share_of('periods.quantity_so_far', 'periods.included_units') }} as used_share,
        {{ share_of('periods.projected_quantity', 'periods.included_units') }} as projected_share

    from periods
    cross join kinds
    where
        periods.included_units > 0
        -- a period that has not begun, or of which nothing is forecast, says nothing yet
        and periods.days_elapsed > 0
        and (periods.days_forecast > 0 or periods.days_remaining = 0)
        and periods.projected_quantity >= cast(kinds.min_quota_share as decimal(38, 6)) * periods.included_units

),

numbered as (

    select
        pressed.*,
        pairs.product_id,
        pairs.product_name,
        pairs.billing_interval,
        pairs.interval_count,
        pairs.next_price_id,
        pairs.next_product_id,
        pairs.next_product_name,
        pairs.next_included_units,
        row_number() over (
            partition by pressed.account_id, pressed.subscription_item_id
            order by pairs.next_plan_rank, pairs.next_price_id
        ) as pair_number

    from pressed
    -- the price that the item has today, so that an upgrade already made is not advised again
    inner join items
        on
            pressed.account_id = items.account_id
            and pressed.subscription_item_id = items.subscription_item_id
            and pressed.price_id = items.price_id
    inner join subscriptions
        on
            pressed.account_id = subscriptions.account_id
            and pressed.subscription_id = subscriptions.subscription_id
            and subscriptions.status = 'active'
            and not subscriptions.cancel_at_period_end
    inner join pairs
        on
            pressed.account_id = pairs.account_id
            and pressed.price_id = pairs.price_id
)

select * from numbered
where pair_number = 1
