{# When each day of a meter was first loaded. What lands later of a day is a revision; one without a window was zero. #}
{# A load that came later than this after the day saw what had come late by then: it tells more than the day knew. #}
{% set timely_days = 2 %}

with

load_report as (select * from {{ ref('stg_stripe__load_report') }}),
items as (select * from {{ ref('int_subscription_items') }}),

loads as (

    select
        account_id,
        meter_id,
        loaded_at,
        cast(max(covered_until) as date) as covered_until
    from load_report
    where
        kind = 'meter_usage'
        and meter_id is not null
        and covered_until is not null
    group by
        account_id,
        meter_id,
        loaded_at

),

compared as (

    select
        *,
        max(covered_until) over (
            partition by account_id, meter_id
            order by loaded_at
            rows between unbounded preceding and 1 preceding
        ) as covered_before
    from loads

),

first_days as (

    select
        account_id,
        min(first_day) as first_day
    from items
    where is_metered
    group by account_id

),

spans as (

    select
        compared.account_id,
        compared.meter_id,
        compared.loaded_at,
        coalesce(compared.covered_before, first_days.first_day) as first_day,
        compared.covered_until - 1 as last_day
    from compared
    inner join first_days
        on compared.account_id = first_days.account_id

),

days as (

    select
        account_id,
        meter_id,
        loaded_at,
        {{ days_between('first_day', 'last_day') }} as usage_date
    from spans

)

select
    account_id,
    meter_id,
    usage_date,
    loaded_at as covered_at,
    loaded_at > {{ end_of_day('usage_date') }} + interval '{{ timely_days }} days' as is_backfilled
from days
