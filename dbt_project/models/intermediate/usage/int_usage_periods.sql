{# What each period used, by its meter's own formula; nothing is priced here. #}
with

periods as (select * from {{ ref('int_billing_periods') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

-- Periods start at midnight UTC, so that daily windows add up to them exactly.
windows as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.period_start,
        sum(meter_usage.quantity) as total_quantity,
        arg_max(meter_usage.quantity, meter_usage.window_start) as last_quantity
    from periods
    inner join meter_usage
        on
            periods.account_id = meter_usage.account_id
            and periods.customer_id = meter_usage.customer_id
            and periods.meter_id = meter_usage.meter_id
            and periods.period_start <= meter_usage.window_start
            and periods.period_end > meter_usage.window_start
            and periods.as_of >= meter_usage.usage_date
    group by
        periods.account_id,
        periods.subscription_item_id,
        periods.period_start

),

aggregated as (

    select
        periods.*,
        cast(
            coalesce(
                case
                    when periods.aggregation_formula = 'last' then windows.last_quantity
                    else windows.total_quantity
                end,
                0
            ) as decimal(18, 6)
        ) as quantity
    from periods
    left join windows
        on
            periods.account_id = windows.account_id
            and periods.subscription_item_id = windows.subscription_item_id
            and periods.period_start = windows.period_start

)

select * from aggregated
