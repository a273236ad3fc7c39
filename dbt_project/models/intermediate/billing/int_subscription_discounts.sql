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
        unnested.discount.id as discount_id,
        {{ id_of('unnested.discount.source.coupon') }} as coupon_id,
        {{ from_epoch('unnested.discount.start') }} as started_at,
        {{ from_epoch('unnested.discount."end"') }} as ended_at
    from unnested
    where unnested.discount.id is not null

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
