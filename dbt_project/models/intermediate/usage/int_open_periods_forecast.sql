{# Open periods at today's word: the mean over paths of the whole period's quantity, its 80 % band scaled by what the
   backtest taught. A period that ends after the last forecast day has no paths, and nothing is said of its rest. #}
{{ config(post_hook="{{ keep_as_said('usage_period_said', 'median_quantity is not null') }}") }}
with

open_periods as (select * from {{ ref('fct_usage_periods') }} where is_open),
as_of as (select * from {{ ref('int_as_of') }}),
forecasts as (select * from {{ ref('int_usage_paths_periods') }} where not is_backtest),
factors as (select * from {{ ref('int_band_factors') }} where level = 'item_quantity'),

scaled as (

    select
        {{ columns_of('open_periods', [
            'account_id', 'subscription_item_id', 'subscription_id', 'customer_id', 'meter_id', 'price_id', 'currency',
            'period_start', 'period_end', 'days_elapsed', 'days_in_period', 'included_units', 'quantity',
        ]) }},
        as_of.as_of,
        open_periods.days_in_period - open_periods.days_elapsed as days_remaining,
        coalesce(forecasts.paths, 0) > 0 as is_forecast,
        coalesce(forecasts.mean_quantity, open_periods.quantity) as projected_quantity,
        {{ scaled_band('forecasts', 'factors', 'quantity', 'decimal(18, 6)') }},
        forecasts.run_rate_quantity,
        forecasts.method,
        forecasts.model_version
    from open_periods
    inner join as_of
        on open_periods.account_id = as_of.account_id
    left join forecasts
        on {{ same_keys('open_periods', 'forecasts', ['account_id', 'subscription_item_id', 'period_start']) }}
    left join factors
        on
            open_periods.account_id = factors.account_id
            and as_of.as_of = factors.for_as_of
            and {{ elapsed_quarter('open_periods.days_elapsed', 'open_periods.days_in_period') }} = factors.quarter

)

select
    account_id,
    subscription_item_id,
    subscription_id,
    customer_id,
    meter_id,
    price_id,
    currency,
    as_of,
    period_start,
    period_end,
    days_elapsed,
    days_in_period,
    days_remaining,
    case when is_forecast then days_remaining else 0 end as days_forecast,
    case when is_forecast then 0 else days_remaining end as days_beyond_horizon,
    included_units,
    quantity as quantity_so_far,
    projected_quantity - quantity as forecast_quantity,
    projected_quantity,
    -- a mean of few large paths may lie outside
    least(coalesce(q10_quantity, quantity), projected_quantity) as projected_quantity_low,
    greatest(coalesce(q90_quantity, quantity), projected_quantity) as projected_quantity_high,

    -- the band as it is, null without a forecast
    q025_quantity,
    q10_quantity,
    median_quantity,
    q90_quantity,
    q975_quantity,
    run_rate_quantity,
    method,
    model_version
from scaled
