{# What each period had used by each month end at which it had begun and was not invoiced; nothing is priced here.
   Part of a period is its share of the day it begins on, and the whole days after that. A period that ended with its item
   and was never invoiced is nobody's debt from then on: revenue_leakage names it. #}
with

periods as (select * from {{ ref('int_usage_periods') }} where not is_trial),
items as (select * from {{ ref('int_subscription_items') }}),
invoices as (select * from {{ ref('int_invoices') }}),
valuation_days as (select * from {{ ref('int_valuation_days') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

unbilled as (

    select
        periods.*,
        invoices.finalized_at,
        valuation_days.month_start,
        valuation_days.valued_on,
        periods.used_until <= valuation_days.valued_until as is_whole
    from periods
    left join items
        on
            periods.account_id = items.account_id
            and periods.subscription_item_id = items.subscription_item_id
    left join invoices
        on
            periods.account_id = invoices.account_id
            and periods.invoice_id = invoices.invoice_id
    inner join valuation_days
        on
            periods.account_id = valuation_days.account_id
            and periods.period_start < valuation_days.valued_until
            and coalesce(invoices.finalized_at >= valuation_days.valued_until, true)
            and (periods.invoice_id is not null or coalesce(items.ended_at > valuation_days.valued_until, true))

),

-- each day meets the one month it is in, so that long histories are read once
month_days as (

    select
        unbilled.account_id,
        unbilled.subscription_item_id,
        unbilled.period_start,
        unbilled.month_start,
        sum(usage_daily.quantity) as quantity,
        -- Stripe may show a day without events as zero, so that only another value is a last one
        max(case when usage_daily.quantity != 0 then usage_daily.usage_date end) as last_used_on
    from usage_daily
    inner join unbilled
        on
            usage_daily.account_id = unbilled.account_id
            and usage_daily.subscription_item_id = unbilled.subscription_item_id
            and {{ month_start('usage_daily.usage_date') }} = unbilled.month_start
            and usage_daily.usage_date > unbilled.starts_on
            and usage_daily.usage_date <= unbilled.valued_on
    where not unbilled.is_whole
    group by
        unbilled.account_id,
        unbilled.subscription_item_id,
        unbilled.period_start,
        unbilled.month_start

),

running as (

    select
        unbilled.*,
        sum(coalesce(month_days.quantity, 0)) over up_to_then as days_quantity,
        max(month_days.last_used_on) over up_to_then as last_used_on
    from unbilled
    left join month_days
        on
            unbilled.account_id = month_days.account_id
            and unbilled.subscription_item_id = month_days.subscription_item_id
            and unbilled.period_start = month_days.period_start
            and unbilled.month_start = month_days.month_start
    window up_to_then as (
        partition by unbilled.account_id, unbilled.subscription_item_id, unbilled.period_start
        order by unbilled.month_start
    )

)

select
    running.account_id,
    running.subscription_item_id,
    running.period_start,
    running.month_start,
    running.valued_on,
    running.price_id,
    running.currency,
    running.finalized_at,
    running.is_whole,
    -- null beyond what can be rated
    {{ cast_or_null(
        "case when running.is_whole then running.quantity when running.aggregation_formula = 'last' "
        ~ "then coalesce(last_days.quantity, running.first_day_quantity) "
        ~ "else running.first_day_quantity + running.days_quantity end",
        'decimal(18, 6)'
    ) }} as quantity
from running
left join usage_daily as last_days
    on
        running.account_id = last_days.account_id
        and running.subscription_item_id = last_days.subscription_item_id
        and running.last_used_on = last_days.usage_date
