{# Summaries know minutes and bills know seconds. Of a minute at whose 37th second one period ends and the next begins,
   either may have used all or nothing: the lowest and the highest amount that this leaves for an invoiced period. #}
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
        aggregation_formula,
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
            and first_minutes.window_end = date_trunc('minute', differing.period_start) + interval 1 minute
    left join period_usage as last_minutes
        on
            differing.account_id = last_minutes.account_id
            and differing.meter_id = last_minutes.meter_id
            and differing.customer_id = last_minutes.customer_id
            and differing.period_end > last_minutes.window_start
            and last_minutes.window_start = date_trunc('minute', differing.period_end)
            and last_minutes.window_end = date_trunc('minute', differing.period_end) + interval 1 minute

),

-- with the first minute or without it, and without the last or with it
choices as (

    select
        unnest([0, 1, 0, 1]) as without_first,
        unnest([0, 0, 1, 1]) as with_last

),

possible as (

    select
        shared_minutes.account_id,
        shared_minutes.subscription_item_id,
        shared_minutes.period_start,
        shared_minutes.price_id,
        choices.without_first,
        choices.with_last,
        cast(
            case
                when shared_minutes.aggregation_formula is distinct from 'last'
                    then
                        shared_minutes.quantity
                        - choices.without_first * shared_minutes.first_minute_quantity
                        + choices.with_last * shared_minutes.last_minute_quantity
                when choices.with_last = 1 and shared_minutes.last_minute_quantity != 0
                    then shared_minutes.last_minute_quantity
                when choices.without_first = 1 and shared_minutes.first_minute_quantity = shared_minutes.quantity
                    then 0
                else shared_minutes.quantity
            end as decimal(18, 6)
        ) as quantity
    from shared_minutes
    cross join choices

),

rated as ({{ rate_totals('possible', ['subscription_item_id', 'period_start', 'without_first', 'with_last']) }})

select
    account_id,
    subscription_item_id,
    period_start,
    min(rated_amount_minor) as lowest_amount_minor,
    max(rated_amount_minor) as highest_amount_minor
from rated
group by
    account_id,
    subscription_item_id,
    period_start
