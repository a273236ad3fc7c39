{# What the same thing costs on another plan. Two candidates on one plan are an ambiguous price list: no pair. #}
with

plan_prices as (select * from {{ ref('dim_prices') }} where plan_rank is not null and experiment_id is null),

counted as (

    select
        own_prices.account_id,
        own_prices.price_id,
        own_prices.product_id,
        own_prices.product_name,
        own_prices.usage_type,
        own_prices.billing_interval,
        own_prices.interval_count,
        next_prices.price_id as next_price_id,
        next_prices.product_id as next_product_id,
        next_prices.product_name as next_product_name,
        next_prices.plan_rank as next_plan_rank,
        next_prices.plan_rank > own_prices.plan_rank as is_higher,
        next_prices.included_units as next_included_units,
        count(*) over (
            partition by own_prices.account_id, own_prices.price_id, next_prices.product_id
        ) as candidates

    from plan_prices as own_prices
    inner join plan_prices as next_prices
        on
            own_prices.account_id = next_prices.account_id
            and own_prices.product_id != next_prices.product_id
            and own_prices.plan_rank != next_prices.plan_rank
            and own_prices.currency = next_prices.currency
            and own_prices.usage_type = next_prices.usage_type
            and own_prices.billing_interval = next_prices.billing_interval
            and own_prices.interval_count = next_prices.interval_count
            and own_prices.meter_id is not distinct from next_prices.meter_id
            and next_prices.is_active
)

select * from counted
where candidates = 1
