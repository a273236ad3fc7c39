{# Discounts that subscriptions carry now, with their coupon. Stripe shows no list of past discounts. #}
with

subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }}),

unnested as (

    select
        account_id,
        subscription_id,
        unnest(discounts) as discount
    from subscriptions

),

described as (

    select
        unnested.account_id,
        unnested.subscription_id,
        unnested.discount.discount_id,
        unnested.discount.coupon_id,
        unnested.discount.starts_at as started_at,
        unnested.discount.ends_at as ended_at
    from unnested
    where unnested.discount.discount_id is not null

)

select
    described.account_id,
    described.subscription_id,
    described.discount_id,
    described.coupon_id,
    coupons.duration,
    described.started_at,
    described.ended_at
from described
left join coupons
    on
        described.account_id = coupons.account_id
        and described.coupon_id = coupons.coupon_id
