{# A plan moves as a whole: an item of the plan's product without a counterpart on the next plan stops the upgrade. #}
with

upgrades as (select * from {{ ref('int_tier_upgrades_found') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
prices as (select * from {{ ref('dim_prices') }}),
pairs as (select * from {{ ref('int_plan_prices_paired') }}),
periods as (select * from {{ ref('int_open_periods_forecast') }}),

counted as (

    select
        upgrades.account_id,
        upgrades.subscription_item_id as upgrade_item_id,
        items.subscription_item_id,
        upgrades.currency,
        items.quantity as licensed_quantity,
        prices.usage_type,
        items.price_id,
        pairs.next_price_id,
        coalesce(periods.projected_quantity, items.quantity) as quantity,
        coalesce(periods.projected_quantity_low, items.quantity) as quantity_low,
        coalesce(periods.projected_quantity_high, items.quantity) as quantity_high,
        count(*) over by_upgrade as items_moved,
        count(pairs.next_price_id) over by_upgrade as items_paired

    from upgrades
    inner join items
        on
            upgrades.account_id = items.account_id
            and upgrades.subscription_id = items.subscription_id
    inner join prices
        on
            items.account_id = prices.account_id
            and items.price_id = prices.price_id
            and upgrades.product_id = prices.product_id
    left join pairs
        on
            items.account_id = pairs.account_id
            and items.price_id = pairs.price_id
            and upgrades.next_product_id = pairs.next_product_id
    left join periods
        on
            items.account_id = periods.account_id
            and items.subscription_item_id = periods.subscription_item_id
    window by_upgrade as (partition by upgrades.account_id, upgrades.subscription_item_id)

)

select
    account_id,
    upgrade_item_id,
    subscription_item_id,
    currency,
    licensed_quantity,
    usage_type,
    price_id,
    next_price_id,
    quantity,
    quantity_low,
    quantity_high
from counted
where items_moved = items_paired
