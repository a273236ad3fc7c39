{# Metered periods that were never billed, or for less than they used. A period that is over is waited for three days:
   its draft is written at once, and becomes final within hours. #}
{% set days_waited = 3 %}

with

periods as (select * from {{ ref('fct_usage_periods') }} where not is_open and not is_trial),
usage_periods as (select * from {{ ref('int_usage_periods') }}),
reconciliation as (select * from {{ ref('fct_invoice_reconciliation') }}),
as_of as (select * from {{ ref('int_as_of') }})

select
    periods.account_id,
    'usage_never_invoiced' as kind,
    periods.customer_id,
    periods.subscription_id,
    periods.subscription_item_id,
    periods.meter_id,
    periods.price_id,
    cast(null as {{ text_type() }}) as invoice_id,
    periods.currency,
    periods.period_start,
    cast(usage_periods.used_until as date) as since_day,
    periods.quantity,
    periods.rated_amount_minor as amount_minor
from periods
inner join usage_periods
    on
        periods.account_id = usage_periods.account_id
        and periods.subscription_item_id = usage_periods.subscription_item_id
        and periods.period_start = usage_periods.period_start
inner join as_of
    on periods.account_id = as_of.account_id
where
    periods.invoice_id is null
    and periods.quantity > 0
    and coalesce(periods.rated_amount_minor > 0, true)
    and cast(usage_periods.used_until as date) + {{ days_waited }} <= as_of.as_of
union all
select
    reconciliation.account_id,
    'usage_after_invoice' as kind,
    reconciliation.customer_id,
    cast(null as {{ text_type() }}) as subscription_id,
    reconciliation.subscription_item_id,
    reconciliation.meter_id,
    reconciliation.price_id,
    reconciliation.invoice_id,
    reconciliation.currency,
    reconciliation.period_start,
    cast(reconciliation.period_end as date) as since_day,
    reconciliation.quantity,
    reconciliation.difference_minor as amount_minor
from reconciliation
where
    reconciliation.difference_cause = 'usage_after_invoice'
    and reconciliation.difference_minor > 0
