with

accrued as (select * from {{ ref('int_usage_accrued') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),

rated as ({{ rate_totals('accrued', ['subscription_item_id', 'period_start', 'month_start']) }}),

valued as (

    select
        accrued.account_id,
        accrued.subscription_item_id,
        periods.subscription_id,
        periods.customer_id,
        periods.meter_id,
        accrued.price_id,
        accrued.currency,
        accrued.month_start,
        accrued.valued_on,
        accrued.period_start,
        periods.period_end,
        accrued.is_whole as is_complete,
        accrued.quantity,
        rated.rated_amount_minor as accrued_minor,
        -- tiers depend on the quantity of the whole period: the rest is what the whole costs more than the part
        periods.rated_amount_minor - rated.rated_amount_minor as rest_minor,
        periods.rated_amount_minor as period_amount_minor,
        periods.invoice_id,
        accrued.finalized_at as invoiced_at,
        periods.invoiced_amount_minor
    from accrued
    inner join periods
        on
            accrued.account_id = periods.account_id
            and accrued.subscription_item_id = periods.subscription_item_id
            and accrued.period_start = periods.period_start
    left join rated
        on
            accrued.account_id = rated.account_id
            and accrued.subscription_item_id = rated.subscription_item_id
            and accrued.period_start = rated.period_start
            and accrued.month_start = rated.month_start

)

select * from valued
