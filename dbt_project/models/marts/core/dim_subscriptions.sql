with

subscriptions as (select * from {{ ref('int_subscriptions') }}),
items as (select * from {{ ref('int_subscription_items') }}),
prices as (select * from {{ ref('dim_prices') }}),
subscription_discounts as (select * from {{ ref('int_subscription_discounts') }}),
as_of as (select * from {{ ref('int_as_of') }}),

plans as (

    select
        items.account_id,
        items.subscription_id,
        {{ latest_by('prices.plan', ['prices.plan_rank', 'prices.plan']) }} as plan
    from items
    inner join prices
        on
            items.account_id = prices.account_id
            and items.price_id = prices.price_id
    where not items.is_deleted
    group by
        items.account_id,
        items.subscription_id

),

discounts as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        max(discounts.coupon_id) as coupon_id
    from subscriptions
    inner join subscription_discounts as discounts
        on
            subscriptions.account_id = discounts.account_id
            and subscriptions.subscription_id = discounts.subscription_id
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    where
        discounts.started_at < as_of.known_until
        and coalesce(discounts.ended_at >= {{ end_of_day('as_of.as_of') }}, true)
    group by
        subscriptions.account_id,
        subscriptions.subscription_id

),

described as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.status,
        subscriptions.currency,
        subscriptions.started_at,
        subscriptions.canceled_at,
        subscriptions.ended_at,
        subscriptions.cancel_at_period_end,
        subscriptions.cancellation_reason,
        plans.plan,
        discounts.subscription_id is not null as has_discount,
        discounts.coupon_id as discount_coupon_id
    from subscriptions
    left join plans
        on
            subscriptions.account_id = plans.account_id
            and subscriptions.subscription_id = plans.subscription_id
    left join discounts
        on
            subscriptions.account_id = discounts.account_id
            and subscriptions.subscription_id = discounts.subscription_id

)

select * from described
