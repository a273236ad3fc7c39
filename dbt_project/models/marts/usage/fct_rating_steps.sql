with

periods as (select * from {{ ref('int_usage_periods') }}),

rated as ({{ rate('periods', ['subscription_item_id', 'period_start']) }}),

steps as (

    select
        account_id,
        subscription_item_id,
        price_id,
        period_start,
        tier_index,
        tier_quantity,
        unit_amount_decimal,
        flat_amount_minor,
        amount_minor
    from rated

)

select * from steps
