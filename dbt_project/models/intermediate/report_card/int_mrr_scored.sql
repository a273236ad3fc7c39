{# What earlier runs said of months that have ended since. The forecast is of the customers there were when it was made
   (new business is a plan of people's, not a forecast), so it is compared with what those customers pay. The baseline is
   that they go on paying what they paid then. #}
with

current_days as (select * from {{ ref('int_as_of') }}),
forecasts as (select * from {{ ref('stg_ml__revenue_forecast_said') }} where level = 'currency'),
months as (select * from {{ ref('fct_mrr_monthly') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),

arrivals as (

    select
        account_id,
        customer_id,
        cast(min(started_at) as date) as arrived_on
    from subscriptions
    group by
        account_id,
        customer_id

),

paid as (

    select
        months.account_id,
        months.currency,
        months.month_start,
        arrivals.arrived_on,
        cast(sum(months.mrr_minor) as bigint) as mrr_minor
    from months
    inner join arrivals
        on {{ same_keys('months', 'arrivals', ['account_id', 'customer_id']) }}
    group by
        months.account_id,
        months.currency,
        months.month_start,
        arrivals.arrived_on

),

scored as (

    select
        forecasts.account_id,
        forecasts.currency,
        forecasts.as_of,
        forecasts.month_start,
        forecasts.months_ahead,
        forecasts.mrr_minor - forecasts.new_business_minor as expected,
        forecasts.q025_minor - forecasts.new_business_minor as q025,
        forecasts.q10_minor - forecasts.new_business_minor as q10,
        forecasts.q90_minor - forecasts.new_business_minor as q90,
        forecasts.q975_minor - forecasts.new_business_minor as q975,
        forecasts.mrr_now_minor as baseline,
        coalesce(sum(paid.mrr_minor), 0) as actual

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            and forecasts.as_of < current_days.as_of
            and {{ month_end('forecasts.month_start') }} <= current_days.as_of
    left join paid
        on
            {{ same_keys('forecasts', 'paid', ['account_id', 'currency', 'month_start']) }}
            and forecasts.as_of >= paid.arrived_on
    group by
        forecasts.account_id,
        forecasts.currency,
        forecasts.as_of,
        forecasts.month_start,
        forecasts.months_ahead,
        forecasts.mrr_minor,
        forecasts.new_business_minor,
        forecasts.q025_minor,
        forecasts.q10_minor,
        forecasts.q90_minor,
        forecasts.q975_minor,
        forecasts.mrr_now_minor

)

select
    account_id,
    'live' as said,
    'mrr' as subject,
    currency as unit,
    cast(null as {{ text_type() }}) as plan,
    cast(null as {{ text_type() }}) as demand_class,
    currency,
    cast(null as {{ text_type() }}) as meter,
    {{ bucket_text('month', 'months_ahead') }} as bucket,
    cast(actual as {{ scored_type() }}) as actual,
    cast(expected as {{ scored_type() }}) as expected,
    cast(expected as {{ scored_type() }}) as median,
    cast(q025 as {{ scored_type() }}) as q025,
    cast(q10 as {{ scored_type() }}) as q10,
    cast(q90 as {{ scored_type() }}) as q90,
    cast(q975 as {{ scored_type() }}) as q975,
    cast(baseline as {{ scored_type() }}) as baseline
from scored
