{# Licensed items of counted subscriptions, cut wherever anything about their subscription changes: one row per item and
   stretch of time in which nothing does. #}
with

states as (select * from {{ ref('int_subscription_states') }} where is_counted and not is_reconstructed),
item_states as (select * from {{ ref('int_item_states') }}),
discounts as (select * from {{ ref('int_discount_spans') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
prices as (select * from {{ ref('stg_stripe__prices') }} where usage_type = 'licensed'),

changes as (

    select
        account_id,
        subscription_id,
        valid_from as changed_at
    from states
    union distinct
    select
        account_id,
        subscription_id,
        valid_from as changed_at
    from item_states
    union distinct
    select
        account_id,
        subscription_id,
        valid_to as changed_at
    from item_states
    union distinct
    select
        account_id,
        subscription_id,
        valid_from as changed_at
    from discounts
    union distinct
    select
        account_id,
        subscription_id,
        valid_to as changed_at
    from discounts

),

stretches as (

    select
        states.account_id,
        states.subscription_id,
        changes.changed_at as valid_from,
        lead(changes.changed_at, 1, states.valid_to) over (
            partition by states.account_id, states.subscription_id, states.valid_from
            order by changes.changed_at
        ) as valid_to
    from states
    inner join changes
        on
            states.account_id = changes.account_id
            and states.subscription_id = changes.subscription_id
            and states.valid_from <= changes.changed_at
            and coalesce(changes.changed_at < states.valid_to, true)

)

select
    stretches.account_id,
    stretches.subscription_id,
    item_states.subscription_item_id,
    item_states.price_id,
    prices.product_id,
    subscriptions.currency,
    prices.billing_interval,
    prices.interval_count,
    coalesce(item_states.quantity, 1) as quantity,
    stretches.valid_from,
    stretches.valid_to
from stretches
inner join item_states
    on
        stretches.account_id = item_states.account_id
        and stretches.subscription_id = item_states.subscription_id
        and item_states.valid_from <= stretches.valid_from
        and coalesce(stretches.valid_from < item_states.valid_to, true)
inner join prices
    on
        item_states.account_id = prices.account_id
        and item_states.price_id = prices.price_id
inner join subscriptions
    on
        stretches.account_id = subscriptions.account_id
        and stretches.subscription_id = subscriptions.subscription_id
