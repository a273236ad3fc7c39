{# Billing periods that were open when they were forecast and have ended since, whole and billed by their own usage. #}
with

forecasts as (select * from {{ ref('stg_ml__usage_period_said') }}),
current_days as (select * from {{ ref('int_as_of') }}),
periods as (select * from {{ ref('int_usage_periods_settled') }}),
backtested as (select * from {{ ref('int_open_periods_backtested') }}),
plans as (select * from {{ ref('int_plan_history') }}),
classes as (select * from {{ ref('usage_forecast') }} where horizon = 1),

live as (

    select
        forecasts.account_id,
        'live' as said,
        forecasts.meter_id as unit,
        plans.plan,
        classes.demand_class,
        {{ elapsed_bucket('forecasts.days_elapsed', 'forecasts.days_in_period') }} as bucket,
        periods.quantity as actual,
        forecasts.projected_quantity as expected,
        forecasts.median_quantity as median,
        forecasts.q025_quantity as q025,
        forecasts.q10_quantity as q10,
        forecasts.q90_quantity as q90,
        forecasts.q975_quantity as q975,
        forecasts.run_rate_quantity as baseline

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            and forecasts.as_of < current_days.as_of
    -- the end too: a period cut short by a change of plan is another one
    inner join periods
        on {{ same_keys('forecasts', 'periods', ['account_id', 'subscription_item_id', 'period_start', 'period_end']) }}
    left join plans
        on
            forecasts.account_id = plans.account_id
            and forecasts.subscription_id = plans.subscription_id
            and plans.known_from < {{ end_of_day('forecasts.as_of') }}
            and coalesce(plans.known_to >= {{ end_of_day('forecasts.as_of') }}, true)
    left join classes
        on {{ same_keys('forecasts', 'classes', ['account_id', 'subscription_item_id', 'as_of']) }}
    where periods.quantity is not null

),

together as (

    select * from live
    union all
    select
        account_id,
        'backtest' as said,
        meter_id as unit,
        plan,
        demand_class,
        {{ elapsed_bucket('days_elapsed', 'days_in_period') }} as bucket,
        actual_quantity as actual,
        mean_quantity as expected,
        median_quantity as median,
        q025_quantity as q025,
        q10_quantity as q10,
        q90_quantity as q90,
        q975_quantity as q975,
        run_rate_quantity as baseline
    from backtested
    where mean_quantity is not null and actual_quantity is not null

)

select
    account_id,
    said,
    'usage_period' as subject,
    unit,
    plan,
    demand_class,
    cast(null as {{ text_type() }}) as currency,
    unit as meter,
    bucket,
    cast(actual as {{ scored_type() }}) as actual,
    cast(expected as {{ scored_type() }}) as expected,
    cast(median as {{ scored_type() }}) as median,
    cast(q025 as {{ scored_type() }}) as q025,
    cast(q10 as {{ scored_type() }}) as q10,
    cast(q90 as {{ scored_type() }}) as q90,
    cast(q975 as {{ scored_type() }}) as q975,
    cast(baseline as {{ scored_type() }}) as baseline
from together
