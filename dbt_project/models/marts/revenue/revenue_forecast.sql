with

forecasts as (select * from {{ ref('stg_ml__revenue_forecast') }}),
current_days as (select * from {{ ref('int_as_of') }}),

in_minor_units as (

    select
        forecasts.account_id,
        forecasts.currency,
        forecasts.as_of,
        forecasts.month_start,
        forecasts.as_of = current_days.as_of as is_current,
        cast(round(forecasts.mrr_mean) as bigint) as mrr_mean_minor,
        cast(round(forecasts.q025) as bigint) as q025_minor,
        cast(round(forecasts.q10) as bigint) as q10_minor,
        cast(round(forecasts.q90) as bigint) as q90_minor,
        cast(round(forecasts.q975) as bigint) as q975_minor,
        forecasts.method,
        forecasts.model_version,
        forecasts.run_id

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            -- a replay of an earlier day does not know what was said later
            and forecasts.as_of <= current_days.as_of

)

select * from in_minor_units
