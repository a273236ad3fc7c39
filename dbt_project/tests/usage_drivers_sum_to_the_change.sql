-- Each explained period's parts against the two amounts that they explain.
with

pairs as (select * from {{ ref('int_usage_driver_pairs') }}),

parts as (

    select
        account_id,
        subscription_item_id,
        period_start,
        sum(amount_minor) as amount_minor,
        sum(quantity_change) as quantity_change
    from {{ ref('usage_drivers') }}
    group by
        account_id,
        subscription_item_id,
        period_start

)

select
    pairs.account_id,
    pairs.subscription_item_id,
    pairs.period_start
from pairs
left join parts
    on {{ same_keys('pairs', 'parts', ['account_id', 'subscription_item_id', 'period_start']) }}
where
    pairs.rated_amount_minor - pairs.previous_amount_minor != coalesce(parts.amount_minor, 0)
    or (
        pairs.quantity_effect_minor is not null
        and pairs.quantity_change != coalesce(parts.quantity_change, 0)
    )
