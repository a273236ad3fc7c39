{# The discounts of subscriptions and when they were on. A customer's counts on each of its subscriptions, except while
   the subscription has its own (owner_rank says whose it is). #}
with

lives as (select * from {{ ref('int_discount_lives') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }}),

placed as (

    select
        lives.account_id,
        subscriptions.subscription_id,
        lives.subscription_item_id,
        lives.discount_id,
        case
            when lives.subscription_item_id is not null then 1
            when lives.subscription_id is not null then 2
            else 3
        end as owner_rank,
        lives.coupon,
        lives.position,
        lives.valid_from,
        coalesce(lives.valid_to, timestamp '9999-12-31 00:00:00') as valid_to
    from lives
    left join items
        on
            lives.account_id = items.account_id
            and lives.subscription_item_id = items.subscription_item_id
    inner join subscriptions
        on
            lives.account_id = subscriptions.account_id
            and (
                subscriptions.subscription_id = coalesce(items.subscription_id, lives.subscription_id)
                or (
                    lives.subscription_item_id is null and lives.subscription_id is null
                    and subscriptions.customer_id = lives.customer_id
                )
            )

)

select
    placed.account_id,
    placed.subscription_id,
    placed.subscription_item_id,
    placed.discount_id,
    placed.owner_rank,
    placed.position,
    coupons.duration,
    coupons.percent_off,
    coupons.amount_off_minor,
    coupons.currency,
    coupons.product_ids,
    placed.valid_from,
    placed.valid_to
from placed
inner join coupons
    on
        placed.account_id = coupons.account_id
        and {{ id_of('placed.coupon') }} = coupons.coupon_id
where placed.valid_from < placed.valid_to
