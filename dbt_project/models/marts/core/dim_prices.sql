with

prices as (select * from {{ ref('stg_stripe__prices') }}),
products as (select * from {{ ref('stg_stripe__products') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),

quotas as (

    select
        account_id,
        price_id,
        currency,
        max(upper_bound) as included_units
    from tiers
    where is_included
    group by
        account_id,
        price_id,
        currency

),

described as (

    select
        prices.account_id,
        prices.price_id,
        prices.product_id,
        products.product_name,
        products.plan,
        products.plan_rank,
        prices.currency,
        prices.usage_type,
        prices.billing_scheme,
        prices.tiers_mode,
        prices.unit_amount_decimal,
        prices.meter_id,
        meters.meter_event_name,
        prices.billing_interval,
        prices.interval_count,
        quotas.included_units,
        prices.is_active and not prices.is_deleted as is_active,
        prices.experiment_id,
        prices.experiment_variant
    from prices
    left join products
        on
            prices.account_id = products.account_id
            and prices.product_id = products.product_id
    left join meters
        on
            prices.account_id = meters.account_id
            and prices.meter_id = meters.meter_id
    left join quotas
        on
            prices.account_id = quotas.account_id
            and prices.price_id = quotas.price_id
            and prices.currency = quotas.currency

)

select * from described
