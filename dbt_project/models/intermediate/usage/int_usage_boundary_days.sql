{# Each period beside the one summary of it, and what it used of the UTC day that it begins on, which it may share with
   the period before. Days say only their total: what earlier periods did not use of all days so far is left for this. #}
with

periods as (select * from {{ ref('int_billing_periods') }}),
period_usage as (select * from {{ ref('stg_stripe__meter_period_usage') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

-- bills know seconds, summaries minutes: fct_invoice_reconciliation names what this moves between two periods
measured as (

    select
        periods.*,
        cast(periods.period_start as date) as starts_on,
        period_usage.quantity as measured_quantity,
        coalesce(period_usage.is_revised, false) as is_revised
    from periods
    left join period_usage
        on
            periods.account_id = period_usage.account_id
            and periods.meter_id = period_usage.meter_id
            and periods.customer_id = period_usage.customer_id
            and period_usage.window_start = date_trunc('minute', periods.period_start)
            and period_usage.window_end = date_trunc('minute', periods.used_until)

),

running as (

    select
        account_id,
        meter_id,
        customer_id,
        usage_date,
        quantity,
        sum(quantity) over (partition by account_id, meter_id, customer_id order by usage_date) as running_quantity
    from meter_usage

),

placed as (

    select
        measured.*,
        case when running.usage_date = measured.starts_on then running.quantity else 0 end as day_quantity,
        coalesce(running.running_quantity, 0) as running_quantity
    from measured
    asof left join running
        on
            measured.account_id = running.account_id
            and measured.meter_id = running.meter_id
            and measured.customer_id = running.customer_id
            and measured.starts_on >= running.usage_date

),

compared as (

    select
        *,
        first_value(running_quantity - day_quantity) over by_period as quantity_before_all,
        coalesce(sum(measured_quantity) over earlier, 0) as earlier_quantity,
        count(measured_quantity) over earlier as earlier_measured,
        count(*) over earlier as earlier_periods
    from placed
    window
        by_period as (partition by account_id, subscription_item_id order by period_start),
        earlier as (by_period rows between unbounded preceding and 1 preceding)

),

shared as (

    select
        *,
        case
            when period_start = starts_on or earlier_periods = 0 then day_quantity
            -- unknown: the day stays with the period before; and values of a `last` meter do not add up
            when earlier_measured < earlier_periods or aggregation_formula = 'last' then 0
            -- no more than the day holds, nor less than nothing, where periods left gaps between them
            else greatest(least(running_quantity - quantity_before_all - earlier_quantity, day_quantity), 0)
        end as first_day_quantity
    from compared

)

select
    account_id,
    subscription_item_id,
    period_start,
    starts_on,
    measured_quantity,
    is_revised,
    cast(first_day_quantity as decimal(18, 6)) as first_day_quantity,
    -- whole days are counted to a period from here on: the shared day goes where most of it was used
    case when 2 * first_day_quantity >= day_quantity then starts_on else starts_on + 1 end as counts_from
from shared
