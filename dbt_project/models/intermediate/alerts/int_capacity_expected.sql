{# What all customers together are expected to use of a meter, against the seed of limits: means, because sums of them
   are honest; what 80 % bands of single items add up to says nothing about their sum. #}
{{ config(tags=['after_ml']) }}
with

limits as (select * from {{ ref('capacity') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
current_days as (select * from {{ ref('int_as_of') }}),
forecasts as (select * from {{ ref('usage_forecast') }} where is_current),
usage_days as (select * from {{ ref('fct_usage_daily') }} where is_counted),

days as (

    select
        forecasts.account_id,
        forecasts.meter_id,
        forecasts.forecast_date as usage_date,
        cast(forecasts.yhat_mean as decimal(24, 6)) as quantity
    from forecasts
    union all
    select
        usage_days.account_id,
        usage_days.meter_id,
        usage_days.usage_date,
        cast(usage_days.quantity as decimal(24, 6)) as quantity
    from usage_days
    inner join current_days
        on
            usage_days.account_id = current_days.account_id
            and usage_days.usage_date <= current_days.as_of
            and usage_days.usage_date >= {{ month_start('current_days.as_of') }}

),

periods as (

    select
        days.account_id,
        days.meter_id,
        limits.meter_event_name,
        limits.period,
        limits.limit_quantity,
        limits.warn_share,
        case
            when limits.period = 'day' then days.usage_date else {{ month_start('days.usage_date') }}
        end as period_start,
        cast(sum(days.quantity) as decimal(24, 6)) as expected_quantity
    from days
    inner join current_days
        on days.account_id = current_days.account_id
    inner join meters
        on {{ same_keys('days', 'meters', ['account_id', 'meter_id']) }}
    inner join limits
        on meters.meter_event_name = limits.meter_event_name
    where
        -- a month is whole within the 90 days that are forecast; a day is judged as far ahead as advice looks
        (
            limits.period = 'month'
            and coalesce(meters.aggregation_formula, 'unknown') != 'last'
            and {{ month_end('days.usage_date') }} <= current_days.as_of + 90
        )
        or (
            limits.period = 'day'
            and days.usage_date > current_days.as_of
            and days.usage_date <= current_days.as_of + 28
        )
    group by
        days.account_id,
        days.meter_id,
        limits.meter_event_name,
        limits.period,
        limits.limit_quantity,
        limits.warn_share,
        case when limits.period = 'day' then days.usage_date else {{ month_start('days.usage_date') }} end

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, meter_id, period order by expected_quantity desc, period_start asc
        ) as place
    from periods

)

select
    account_id,
    meter_id,
    meter_event_name,
    period,
    period_start,
    expected_quantity,
    limit_quantity,
    warn_share,
    {{ share_of('expected_quantity', 'limit_quantity') }} as share_of_limit
from ranked
where place = 1
