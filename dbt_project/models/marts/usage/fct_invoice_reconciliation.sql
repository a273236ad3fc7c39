{# What is certain is named before what is likely. #}
with

rated as (select * from {{ ref('int_metered_lines_rated') }}),
steps as (select * from {{ ref('fct_rating_steps') }}),
bounds as (select * from {{ ref('int_invoiced_amounts_bounded') }}),
removed_steps as (select * from {{ ref('int_rating_steps_removed') }}),
prices as (select * from {{ ref('dim_prices') }}),
customers as (select * from {{ ref('stg_stripe__customers') }}),
as_of as (select * from {{ ref('int_as_of') }}),

overflown as (

    select distinct
        account_id,
        subscription_item_id,
        period_start
    from steps
    where
        amount_minor is null
        and unit_amount_decimal is not null

),

compared as (

    select
        rated.account_id,
        rated.invoice_id,
        rated.subscription_item_id,
        rated.price_id,
        rated.line_kind,
        rated.period_start,
        rated.period_end,
        rated.customer_id,
        rated.meter_id,
        rated.currency,
        rated.line_count,
        rated.billed_quantity,
        case when rated.bills_the_period then rated.quantity end as quantity,
        rated.rated_amount_minor,
        rated.invoiced_amount_minor,
        rated.rated_amount_minor - rated.invoiced_amount_minor as difference_minor,
        case
            when rated.rated_amount_minor = rated.invoiced_amount_minor then null
            when rated.line_kind = 'proration' then 'proration'
            when rated.line_kind = 'manual' then 'manual_line'
            when rated.line_kind = 'edited' then 'line_edited'
            when prices.price_id is null then 'price_not_landed'
            when not rated.has_period then 'item_not_landed'
            when rated.rated_amount_minor is null and overflown.account_id is not null then 'rating_overflow'
            when rated.rated_amount_minor is null then 'price_not_rated'
            when rated.period_end > {{ end_of_day('as_of.as_of') }} then 'not_covered_yet'
            when rated.is_trial then 'trial'
            when rated.contradicts_itself then 'line_edited'
            when rated.has_other_prices then 'price_changed_in_period'
            when rated.has_other_invoices then 'billed_twice'
            when rated.is_overlapping or not rated.bills_the_period then 'overlapping_periods'
            when rated.rated_amount_minor - rated.invoiced_amount_minor = removed_steps.removed_amount_minor
                then 'line_removed'
            when rated.invoiced_amount_minor between bounds.lowest_amount_minor and bounds.highest_amount_minor
                then 'seconds_outside_minute_grid'
            when rated.is_revised then 'usage_after_invoice'
            when rated.has_no_summary and customers.is_deleted then 'customer_deleted'
            when rated.has_no_summary then 'usage_not_landed'
            when rated.invoiced_amount_minor = bounds.as_billed_amount_minor then 'usage_differs_from_bill'
            else 'unexplained'
        end as difference_cause
    from rated
    inner join as_of
        on rated.account_id = as_of.account_id
    left join prices
        on
            rated.account_id = prices.account_id
            and rated.price_id = prices.price_id
    left join customers
        on
            rated.account_id = customers.account_id
            and rated.customer_id = customers.customer_id
    left join overflown
        on
            rated.account_id = overflown.account_id
            and rated.subscription_item_id = overflown.subscription_item_id
            and rated.period_start = overflown.period_start
    left join removed_steps
        on
            rated.account_id = removed_steps.account_id
            and rated.subscription_item_id = removed_steps.subscription_item_id
            and rated.period_start = removed_steps.period_start
    left join bounds
        on
            rated.account_id = bounds.account_id
            and rated.subscription_item_id = bounds.subscription_item_id
            and rated.period_start = bounds.period_start

)

select * from compared
