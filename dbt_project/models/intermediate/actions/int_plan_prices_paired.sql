{# What the same thing costs on a higher plan. Two candidates on one plan are an ambiguous price list: no pair. #}
with

plan_prices as (select * from {{ ref('dim_prices') }} where plan_rank is not null),

counted as (

    select
        lower_prices.account_id,
        lower_prices.price_id,
        lower_prices.product_id,
        lower_prices.product_name,
        lower_prices.usage_type,
        lower_prices.billing_interval,
        lower_prices.interval_count,
        higher_prices.price_id as next_price_id,
        higher_prices.product_id as next_product_id,
        higher_prices.product_name as next_product_name,
        higher_prices.plan_rank as next_plan_rank,
        higher_prices.included_units as next_included_units,
        count(*) over (
            partition by lower_prices.account_id, lower_prices.price_id, higher_prices.product_id
        ) as candidates

    from plan_prices as lower_prices
    inner join plan_prices as higher_prices
        on
            lower_prices.account_id = higher_prices.account_id
            and lower_prices.plan_rank < higher_prices.plan_rank
            and lower_prices.currency = higher_prices.currency
            and lower_prices.usage_type = higher_prices.usage_type
            and lower_prices.billing_interval = higher_prices.billing_interval
            and lower_prices.interval_count = higher_prices.interval_count
            and lower_prices.meter_id is not distinct from higher_prices.meter_id
            and higher_prices.is_active
)

select * from counted
where candidates = 1
