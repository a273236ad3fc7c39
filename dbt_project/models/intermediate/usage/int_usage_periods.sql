{# What each period used, by its meter's own formula; nothing is priced here. One summary of the very period says it.
   Where none has landed (a replay of an earlier day) days are added up, and the day that two periods share is split. #}
with

periods as (select * from {{ ref('int_billing_periods') }}),
boundary_days as (select * from {{ ref('int_usage_boundary_days') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

measured as (

    select
        periods.*,
        boundary_days.starts_on,
        boundary_days.counts_from,
        boundary_days.measured_quantity,
        boundary_days.first_day_quantity,
        boundary_days.is_revised
    from periods
    inner join boundary_days
        on
            periods.account_id = boundary_days.account_id
            and periods.subscription_item_id = boundary_days.subscription_item_id
            and periods.period_start = boundary_days.period_start

),

later_days as (

    select
        measured.account_id,
        measured.subscription_item_id,
        measured.period_start,
        sum(meter_usage.quantity) as total_quantity,
        -- Stripe may show a day without events as zero, so that only another value is a last one
        {{ latest_by('nullif(meter_usage.quantity, 0)', 'meter_usage.window_start') }} as last_quantity
    from measured
    inner join meter_usage
        on
            measured.account_id = meter_usage.account_id
            and measured.customer_id = meter_usage.customer_id
            and measured.meter_id = meter_usage.meter_id
            and measured.starts_on < meter_usage.usage_date
            and measured.used_until > meter_usage.window_start
    where measured.measured_quantity is null
    group by
        measured.account_id,
        measured.subscription_item_id,
        measured.period_start

),

aggregated as (

    select
        measured.*,
        measured.measured_quantity is null
        and (
            measured.period_start != measured.starts_on
            or measured.used_until != date_trunc('day', measured.used_until)
        ) as is_estimated,
        {{ cast_or_null(
            "coalesce(measured.measured_quantity, case when measured.aggregation_formula = 'last' "
            ~ "then coalesce(later_days.last_quantity, measured.first_day_quantity) "
            ~ "else measured.first_day_quantity + coalesce(later_days.total_quantity, 0) end, 0)",
            'decimal(18, 6)'
        ) }} as quantity
    from measured
    left join later_days
        on
            measured.account_id = later_days.account_id
            and measured.subscription_item_id = later_days.subscription_item_id
            and measured.period_start = later_days.period_start

)

select * from aggregated
