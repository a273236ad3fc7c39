{# What earlier runs said of days that have come since, as they said it. Days after an item's end are not judged: a
   usage forecast is of an item that lives, and churn_risk speaks of the others. #}
{{ config(materialized='view') }}
with

current_days as (select * from {{ ref('int_as_of') }}),
forecasts as (select * from {{ ref('usage_forecast') }} where not is_current),
usage_days as (select * from {{ ref('fct_usage_daily') }}),
plans as (select * from {{ ref('int_plan_history') }}),

scored as (

    select
        forecasts.account_id,
        'live' as said,
        'usage_day' as subject,

        -- segments
        forecasts.meter_id as unit,
        plans.plan,
        forecasts.demand_class,
        cast(null as {{ text_type() }}) as currency,
        forecasts.meter_id as meter,
        {{ bucket_text('week', divide_half_up('forecasts.horizon + 3', '7')) }} as bucket,

        -- what came, what was said, what the baseline said
        cast(usage_days.quantity as {{ scored_type() }}) as actual,
        cast(forecasts.yhat_mean as {{ scored_type() }}) as expected,
        cast(forecasts.yhat_median as {{ scored_type() }}) as median,
        cast(forecasts.q025 as {{ scored_type() }}) as q025,
        cast(forecasts.q10 as {{ scored_type() }}) as q10,
        cast(forecasts.q90 as {{ scored_type() }}) as q90,
        cast(forecasts.q975 as {{ scored_type() }}) as q975,
        cast(forecasts.seasonal_naive as {{ scored_type() }}) as baseline

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            and forecasts.forecast_date <= current_days.as_of
    inner join usage_days
        on
            forecasts.account_id = usage_days.account_id
            and forecasts.subscription_item_id = usage_days.subscription_item_id
            and forecasts.forecast_date = usage_days.usage_date
    left join plans
        on
            usage_days.account_id = plans.account_id
            and usage_days.subscription_id = plans.subscription_id
            and plans.known_from < {{ end_of_day('forecasts.as_of') }}
            and coalesce(plans.known_to >= {{ end_of_day('forecasts.as_of') }}, true)

)

select * from scored
