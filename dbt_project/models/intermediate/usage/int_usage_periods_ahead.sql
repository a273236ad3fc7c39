{# Billing periods whose usage is to be foretold: of each origin the one that ran, and those that follow in 90 days. #}
{% set days_ahead = 90 %}
{% set keys = ['account_id', 'subscription_item_id', 'origin_date'] %}

with

scheduled as (select * from {{ ref('int_billing_periods_scheduled') }}),
so_far as (select * from {{ ref('int_usage_so_far') }}),

-- how many may follow: periods of days, of weeks, of months
numbered as (

    select
        *,
        {{ numbers_between(
            '0', 'case when step_days >= 7 then 12 when step_days > 0 then ' ~ days_ahead ~ ' when step_months > 0 then 3 else 0 end'
        ) }} as period_number
    from scheduled

),

counted as (

    select
        *,
        cast({{ months_from('counted_by', 'end_day') }} as integer) + period_number * step_months as months_on,
        period_number * step_days as days_on
    from numbered

),

bounded as (

    select
        account_id,
        subscription_item_id,
        origin_date,
        is_scoring,
        aggregation_formula,
        period_number,
        case
            when period_number = 0 then period_start
            else {{ at_time_of(
                add_months('counted_by', 'months_on - step_months') ~ ' + days_on - step_days', 'scheduled_end'
            ) }}
        end as period_start,
        case
            when period_number = 0 then scheduled_end
            else {{ at_time_of(add_months('counted_by', 'months_on') ~ ' + days_on', 'scheduled_end') }}
        end as period_end
    from counted

),

placed as (

    select
        *,
        cast(period_end - interval '1 second' as date) as last_day,
        case
            when period_number = 0 then 1
            else {{ days_from('origin_date', 'cast(period_start as date)') }}
        end as first_horizon
    from bounded

),

shared as (

    select
        *,
        {{ days_from('origin_date', 'last_day') }} as last_horizon,
        {{ share_of(
            seconds_of(end_of_day('cast(period_start as date)')) ~ ' - ' ~ seconds_of('period_start'), '86400', 'double'
        ) }}
            as start_share,
        {{ share_of(seconds_of('period_end') ~ ' - ' ~ seconds_of('cast(last_day as timestamp)'), '86400', 'double') }}
            as last_share
    from placed

)

select
    shared.account_id,
    shared.subscription_item_id,
    shared.origin_date,
    cast(shared.period_number as integer) as period_number,
    shared.period_start,
    shared.period_end,
    shared.aggregation_formula,
    case when shared.period_number = 0 then so_far.quantity_so_far else 0 end as quantity_so_far,
    cast(shared.first_horizon as integer) as first_horizon,
    cast(shared.last_horizon as integer) as last_horizon,
    case when shared.period_number = 0 then 1 else shared.start_share end as first_share,
    shared.last_share,
    shared.is_scoring
from shared
inner join so_far
    on {{ same_keys('shared', 'so_far', keys) }}
where
    shared.period_number = 0
    or shared.last_horizon <= {{ days_ahead }}
