{# Coupons that have expired and still take something off a living subscription: a discount beyond its own end, and one
   without an end whose coupon was deleted, or may not be redeemed any more. A coupon that is used up is not expired.
   One that was deleted before the first load never lands: its discount is found, what it takes off is not known. #}
with

discounts as (select * from {{ ref('int_subscription_discounts') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }}),
items as (select * from {{ ref('int_items_at_book') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }} where has_lived and ended_at is null),
as_of as (select * from {{ ref('int_as_of') }}),

expired as (

    select
        discounts.account_id,
        discounts.subscription_id,
        subscriptions.customer_id,
        subscriptions.currency,
        discounts.discount_id,
        discounts.coupon_id,
        coupons.percent_off,
        coupons.amount_off_minor,
        coupons.product_ids,
        cast(coalesce(discounts.ended_at, coupons.redeem_by_at) as date) as since_day
    from discounts
    inner join subscriptions
        on
            discounts.account_id = subscriptions.account_id
            and discounts.subscription_id = subscriptions.subscription_id
    left join coupons
        on
            discounts.account_id = coupons.account_id
            and discounts.coupon_id = coupons.coupon_id
    inner join as_of
        on discounts.account_id = as_of.account_id
    where
        cast(discounts.ended_at as date) < as_of.as_of
        or (
            discounts.ended_at is null
            and coalesce(coupons.duration, 'forever') = 'forever'
            and (
                coalesce(coupons.is_deleted, true)
                or coalesce(cast(coupons.redeem_by_at as date) < as_of.as_of, false)
            )
        )

),

taken_off as (

    select
        expired.*,
        items.subscription_item_id,
        {{ divide_half_up(
            'cast(items.own_monthly_minor as decimal(38, 0)) * cast(expired.percent_off * 1000000 as bigint)',
            '100000000'
        ) }} as percent_minor,
        -- a fixed amount comes off each bill
        {{ monthly_amount('expired.amount_off_minor', 'items.intervals_per_year', 'items.interval_count') }}
            as amount_minor
    from expired
    left join items
        on
            expired.account_id = items.account_id
            and expired.subscription_id = items.subscription_id
            and coalesce({{ is_in_list('items.product_id', 'expired.product_ids') }}, true)

)

select
    account_id,
    subscription_id,
    customer_id,
    currency,
    discount_id,
    coupon_id,
    since_day,
    coalesce(cast(sum(percent_minor) as bigint), max(amount_minor)) as amount_minor
from taken_off
group by
    account_id,
    subscription_id,
    customer_id,
    currency,
    discount_id,
    coupon_id,
    since_day
