{# Where a subscription could move. A plan moves as a whole: an item of the plan's product without a counterpart on
   the other plan stops the move, and so does what Stripe or the runner would refuse: a subscription that is not
   active, ends, is paused, waits for a schedule, or holds two plans. What a contract locks is rated all the same, so that
   it can be said what was refused. #}
with

subscriptions as (select * from {{ ref('dim_subscriptions') }} where status = 'active' and not cancel_at_period_end),
staged as (
    select * from {{ ref('stg_stripe__subscriptions') }}
    where
        not is_deleted
        and subscription_schedule_id is null
        and cancel_at is null
        and pause_behavior is null
),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
prices as (select * from {{ ref('dim_prices') }} where plan_rank is not null),
pairs as (select * from {{ ref('int_plan_prices_paired') }}),
locks as ({{ price_locks() }}),

plan_items as (

    select
        items.account_id,
        items.subscription_id,
        subscriptions.customer_id,
        subscriptions.currency,
        items.subscription_item_id,
        items.price_id,
        items.quantity as licensed_quantity,
        prices.usage_type,
        prices.included_units,
        prices.billing_interval,
        prices.interval_count,
        prices.product_id,
        prices.product_name,
        locks.locked_until,
        count(*) over by_subscription as items_moved,
        sum(case when prices.usage_type = 'metered' then 1 else 0 end) over by_subscription as metered_items,
        min(prices.product_id) over by_subscription = max(prices.product_id) over by_subscription as is_one_plan

    from items
    inner join subscriptions
        on {{ same_keys('items', 'subscriptions', ['account_id', 'subscription_id']) }}
    inner join staged
        on {{ same_keys('items', 'staged', ['account_id', 'subscription_id']) }}
    inner join prices
        on {{ same_keys('items', 'prices', ['account_id', 'price_id']) }}
    left join locks
        on {{ same_keys('items', 'locks', ['account_id', 'subscription_id']) }}
    window by_subscription as (partition by items.account_id, items.subscription_id)

),

paired as (

    select
        plan_items.*,
        pairs.next_price_id,
        pairs.next_product_id,
        pairs.next_product_name,
        pairs.next_plan_rank,
        pairs.next_included_units,
        pairs.is_higher,
        count(*) over (
            partition by plan_items.account_id, plan_items.subscription_id, pairs.next_product_id
        ) as items_paired

    from plan_items
    inner join pairs
        on {{ same_keys('plan_items', 'pairs', ['account_id', 'price_id']) }}

)

select * from paired
where
    items_moved = items_paired
    and metered_items > 0
    and is_one_plan
