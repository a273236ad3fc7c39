with

periods as (select * from {{ ref('int_usage_periods') }}),

rated as ({{ rate('periods', ['subscription_item_id', 'period_start', 'currency']) }}),

steps as (

    select
        account_id,
        subscription_item_id,
        price_id,
        currency,
        period_start,
        step_number,
        tier_index,
        is_flat_fee,
        tier_quantity,
        unit_amount_decimal,
        billed_multiple_of,
        amount_minor
    from rated

)

select * from steps
