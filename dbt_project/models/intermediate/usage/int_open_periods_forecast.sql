{# Sums of day bands are the widest case: days that all end high, or all low, together. #}
with

-- forecast days of a `last` meter do not add up to its period, so such items have no forecast of it
open_periods as (
    select * from {{ ref('fct_usage_periods') }}
    where is_open and aggregation_formula is distinct from 'last'
),
current_days as (select * from {{ ref('int_as_of') }}),
forecasts as (select * from {{ ref('usage_forecast') }} where is_current),

periods as (

    select
        open_periods.*,
        current_days.as_of,
        open_periods.days_in_period - open_periods.days_elapsed as days_remaining,
        -- the day after those holds the last moments of the period, and counts by its share before period_end
        {{ share_of(
            seconds_of('open_periods.period_end') ~ ' - ' ~ seconds_of("date_trunc('day', open_periods.period_end)"),
            '86400'
        ) }} as end_day_share

    from open_periods
    inner join current_days
        on open_periods.account_id = current_days.account_id

),

forecast_days as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.period_start,
        forecasts.horizon <= periods.days_remaining as is_whole,
        case when forecasts.horizon <= periods.days_remaining then 1 else periods.end_day_share end as share,
        forecasts.yhat_mean,
        forecasts.q10,
        forecasts.q90,
        forecasts.model_version

    from periods
    inner join forecasts
        on
            periods.account_id = forecasts.account_id
            and periods.subscription_item_id = forecasts.subscription_item_id
            and forecasts.horizon <= periods.days_remaining + 1

),

forecast_sums as (

    select
        account_id,
        subscription_item_id,
        period_start,
        sum(case when is_whole then 1 else 0 end) as days_forecast,
        -- decimals add up to the same sum in any order
        cast(sum(cast(share * yhat_mean as decimal(18, 6))) as decimal(18, 6)) as forecast_quantity,
        cast(sum(cast(share * q10 as decimal(18, 6))) as decimal(18, 6)) as forecast_quantity_low,
        cast(sum(cast(share * q90 as decimal(18, 6))) as decimal(18, 6)) as forecast_quantity_high,
        max(model_version) as model_version

    from forecast_days
    group by account_id, subscription_item_id, period_start

),

projected as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.subscription_id,
        periods.customer_id,
        periods.meter_id,
        periods.price_id,
        periods.currency,
        periods.as_of,
        periods.period_start,
        periods.period_end,
        periods.days_elapsed,
        periods.days_in_period,
        periods.days_remaining,
        coalesce(forecast_sums.days_forecast, 0) as days_forecast,
        periods.days_remaining - coalesce(forecast_sums.days_forecast, 0) as days_beyond_horizon,
        periods.included_units,
        periods.quantity as quantity_so_far,
        coalesce(forecast_sums.forecast_quantity, 0) as forecast_quantity,
        periods.quantity + coalesce(forecast_sums.forecast_quantity, 0) as projected_quantity,
        periods.quantity + coalesce(forecast_sums.forecast_quantity_low, 0) as projected_quantity_low,
        periods.quantity + coalesce(forecast_sums.forecast_quantity_high, 0) as projected_quantity_high,
        forecast_sums.model_version

    from periods
    left join forecast_sums
        on
            periods.account_id = forecast_sums.account_id
            and periods.subscription_item_id = forecast_sums.subscription_item_id
            and periods.period_start = forecast_sums.period_start

)

select * from projected
