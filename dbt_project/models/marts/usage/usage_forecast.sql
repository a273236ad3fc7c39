with

forecasts as (select * from {{ ref('stg_ml__usage_forecast') }}),
current_days as (select * from {{ ref('int_as_of') }}),

marked as (

    select
        -- ids
        forecasts.account_id,
        forecasts.subscription_item_id,
        forecasts.customer_id,
        forecasts.meter_id,

        -- times
        forecasts.as_of,
        forecasts.forecast_date,
        forecasts.horizon,
        forecasts.as_of = current_days.as_of as is_current,

        -- numbers
        forecasts.yhat_mean,
        forecasts.yhat_median,
        forecasts.q025,
        forecasts.q10,
        forecasts.q90,
        forecasts.q975,
        forecasts.seasonal_naive,
        forecasts.weekday_mean,

        -- where it comes from
        forecasts.demand_class,
        forecasts.method,
        forecasts.model_name,
        forecasts.model_version,
        forecasts.run_id

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            -- a replay of an earlier day does not know what was said later
            and forecasts.as_of <= current_days.as_of

)

select * from marked
