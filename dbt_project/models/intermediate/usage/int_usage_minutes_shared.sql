{# Invoiced periods that are not rated as billed, with the usage of the minutes that they begin and end in. #}
with

periods as (select * from {{ ref('fct_usage_periods') }}),
period_usage as (select * from {{ ref('stg_stripe__meter_period_usage') }}),

differing as (

    select
        account_id,
        subscription_item_id,
        meter_id,
        customer_id,
        price_id,
        currency,
        aggregation_formula,
        invoice_id,
        period_start,
        period_end,
        quantity
    from periods
    where
        invoice_id is not null
        and rated_amount_minor is distinct from invoiced_amount_minor

),

shared_minutes as (

    select
        differing.*,
        coalesce(first_minutes.quantity, 0) as first_minute_quantity,
        coalesce(last_minutes.quantity, 0) as last_minute_quantity
    from differing
    left join period_usage as first_minutes
        on
            differing.account_id = first_minutes.account_id
            and differing.meter_id = first_minutes.meter_id
            and differing.customer_id = first_minutes.customer_id
            and differing.period_start > first_minutes.window_start
            and first_minutes.window_start = date_trunc('minute', differing.period_start)
            and first_minutes.window_end = date_trunc('minute', differing.period_start) + interval '1 minute'
    left join period_usage as last_minutes
        on
            differing.account_id = last_minutes.account_id
            and differing.meter_id = last_minutes.meter_id
            and differing.customer_id = last_minutes.customer_id
            and differing.period_end > last_minutes.window_start
            and last_minutes.window_start = date_trunc('minute', differing.period_end)
            and last_minutes.window_end = date_trunc('minute', differing.period_end) + interval '1 minute'

)

select * from shared_minutes
