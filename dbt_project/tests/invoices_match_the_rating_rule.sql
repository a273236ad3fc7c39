{# Stripe's amount and ours, to the minor unit, for each invoiced period whose usage is complete: covered to its end and
   not revised since it was landed (usage that arrives after an invoice is final is billed by nobody). #}
with

usage_periods as (select * from {{ ref('fct_usage_periods') }}),
as_of as (select * from {{ ref('int_as_of') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

revised as (

    select distinct
        usage_periods.account_id,
        usage_periods.subscription_item_id,
        usage_periods.period_start
    from usage_periods
    inner join meter_usage
        on
            usage_periods.account_id = meter_usage.account_id
            and usage_periods.customer_id = meter_usage.customer_id
            and usage_periods.meter_id = meter_usage.meter_id
            and usage_periods.period_start <= meter_usage.window_start
            and usage_periods.period_end > meter_usage.window_start
    where meter_usage.is_revised

)

select usage_periods.*
from usage_periods
inner join as_of
    on usage_periods.account_id = as_of.account_id
left join revised
    on
        usage_periods.account_id = revised.account_id
        and usage_periods.subscription_item_id = revised.subscription_item_id
        and usage_periods.period_start = revised.period_start
where
    usage_periods.invoice_id is not null
    and usage_periods.period_end <= {{ end_of_day('as_of.as_of') }}
    and revised.period_start is null
    and usage_periods.rated_amount_minor is distinct from usage_periods.invoiced_amount_minor
