{# Where an origin knew otherwise what its period had used, and the ones before it: the difference to today's days and
   today's summaries, as far as that goes into what the period has used. #}
{% set keys = ['account_id', 'subscription_item_id'] %}

with

scheduled as (select * from {{ ref('int_billing_periods_scheduled') }}),
boundary_days as (select * from {{ ref('int_usage_boundary_days') }}),
periods as (select * from {{ ref('int_billing_periods') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),
superseded as (select * from {{ ref('int_usage_summaries_superseded') }}),

summary_differences as (

    select
        scheduled.account_id,
        scheduled.subscription_item_id,
        scheduled.origin_date,
        superseded.known_quantity - superseded.quantity as summary_difference,
        superseded.known_quantity is null as is_unseen
    from superseded
    inner join periods
        on
            {{ same_keys('superseded', 'periods', ['account_id', 'customer_id', 'meter_id']) }}
            and superseded.window_start = date_trunc('minute', periods.period_start)
            and superseded.window_end = date_trunc('minute', periods.used_until)
    inner join scheduled
        on
            {{ same_keys('periods', 'scheduled', keys) }}
            and periods.period_start < scheduled.period_start
            and superseded.known_from <= scheduled.origin_date
            and superseded.known_until > scheduled.origin_date

),

day_differences as (

    select
        scheduled.account_id,
        scheduled.subscription_item_id,
        scheduled.origin_date,
        boundary_days.starts_on,
        corrections.usage_date,
        corrections.difference_quantity as difference
    from scheduled
    inner join boundary_days
        on {{ same_keys('scheduled', 'boundary_days', keys + ['period_start']) }}
    inner join corrections
        on
            {{ same_keys('scheduled', 'corrections', keys) }}
            and corrections.known_from <= scheduled.origin_date
            and corrections.known_until > scheduled.origin_date
            and corrections.usage_date <= scheduled.origin_date
            and corrections.usage_date >= coalesce(boundary_days.earlier_since, boundary_days.starts_on)

),

every_difference as (

    select
        {{ keys | join(', ') }},
        origin_date,
        case when usage_date < starts_on then difference else 0 end as earlier,
        case when usage_date = starts_on then difference else 0 end as first_day,
        case when usage_date > starts_on then difference else 0 end as later,
        false as is_unseen
    from day_differences
    union all
    select
        {{ keys | join(', ') }},
        origin_date,
        -coalesce(summary_difference, 0) as earlier,
        0 as first_day,
        0 as later,
        is_unseen
    from summary_differences

)

select
    account_id,
    subscription_item_id,
    origin_date,
    sum(earlier) as earlier_difference,
    sum(first_day) as first_day_difference,
    sum(later) as later_difference,
    bool_or(is_unseen) as has_unseen
from every_difference
group by account_id, subscription_item_id, origin_date
