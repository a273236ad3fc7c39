with

periods as (select * from {{ ref('fct_usage_periods') }}),
usage_periods as (select * from {{ ref('int_usage_periods') }}),
bounds as (select * from {{ ref('int_invoiced_amounts_bounded') }}),
invoices as (select * from {{ ref('fct_invoices') }}),
customers as (select * from {{ ref('stg_stripe__customers') }}),
as_of as (select * from {{ ref('int_as_of') }}),

compared as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.period_start,
        periods.period_end,
        periods.invoice_id,
        periods.customer_id,
        periods.meter_id,
        periods.price_id,
        periods.currency,
        periods.quantity,
        periods.rated_amount_minor,
        periods.invoiced_amount_minor,
        periods.rated_amount_minor - periods.invoiced_amount_minor as difference_minor,
        case
            when periods.rated_amount_minor = periods.invoiced_amount_minor then null
            when periods.rated_amount_minor is null then 'price_not_landed'
            when periods.period_end > {{ end_of_day('as_of.as_of') }} then 'not_covered_yet'
            when periods.is_trial then 'trial'
            when periods.invoiced_amount_minor between bounds.lowest_amount_minor and bounds.highest_amount_minor
                then 'seconds_outside_minute_grid'
            when usage_periods.is_revised then 'usage_after_invoice'
            when customers.is_deleted then 'customer_deleted'
            else 'unexplained'
        end as difference_cause
    from periods
    inner join usage_periods
        on
            periods.account_id = usage_periods.account_id
            and periods.subscription_item_id = usage_periods.subscription_item_id
            and periods.period_start = usage_periods.period_start
    inner join as_of
        on periods.account_id = as_of.account_id
    -- a draft still changes
    inner join invoices
        on
            periods.account_id = invoices.account_id
            and periods.invoice_id = invoices.invoice_id
            and invoices.finalized_at is not null
    left join customers
        on
            periods.account_id = customers.account_id
            and periods.customer_id = customers.customer_id
    left join bounds
        on
            periods.account_id = bounds.account_id
            and periods.subscription_item_id = bounds.subscription_item_id
            and periods.period_start = bounds.period_start

)

select * from compared
