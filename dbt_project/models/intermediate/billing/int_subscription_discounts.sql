{# Discounts that subscriptions carry now, with their coupon. Stripe shows no list of past discounts. #}
with

subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }}),

unnested as (

    {{ unnest_discounts('subscriptions', ['account_id', 'subscription_id']) }}

)

select
    unnested.account_id,
    unnested.subscription_id,
    unnested.discount_id,
    unnested.coupon_id,
    coupons.duration,
    unnested.started_at,
    unnested.ended_at
from unnested
left join coupons
    on
        unnested.account_id = coupons.account_id
        and unnested.coupon_id = coupons.coupon_id
