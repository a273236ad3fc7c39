{# The days that churn is judged on: month ends and as_of, for each customer with a living subscription that day. #}
{# As int_usage_cover has it: a later load tells more than the day knew. #}
{% set timely_days = 2 %}

with

valuation_days as (select * from {{ ref('int_valuation_days') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
states as (select * from {{ ref('int_subscription_states') }}),
load_report as (select * from {{ ref('stg_stripe__load_report') }}),
as_of as (select * from {{ ref('int_as_of') }}),

-- a first payment may come days after the subscription was made; where that is not known it began at once
begun as (

    select
        account_id,
        subscription_id,
        min(valid_from) as living_from
    from states
    group by
        account_id,
        subscription_id

),

living as (

    select
        valuation_days.account_id,
        subscriptions.customer_id,
        valuation_days.month_start,
        valuation_days.valued_on as as_of_date,
        valuation_days.valued_until,
        {{ earliest_by(
            'subscriptions.subscription_id', ['subscriptions.started_at', 'subscriptions.subscription_id']
        ) }} as subscription_id,
        {{ earliest_by(
            'subscriptions.currency', ['subscriptions.started_at', 'subscriptions.subscription_id']
        ) }} as currency
    from valuation_days
    inner join subscriptions
        on
            valuation_days.account_id = subscriptions.account_id
            and valuation_days.valued_until > subscriptions.started_at
            and valuation_days.valued_until > subscriptions.created_at
            and coalesce(subscriptions.ended_at >= valuation_days.valued_until, true)
    left join begun
        on
            subscriptions.account_id = begun.account_id
            and subscriptions.subscription_id = begun.subscription_id
    where
        subscriptions.has_lived
        and coalesce(begun.living_from < valuation_days.valued_until, true)
    group by
        valuation_days.account_id,
        subscriptions.customer_id,
        valuation_days.month_start,
        valuation_days.valued_on,
        valuation_days.valued_until

),

-- one made later and dated back was not known yet
first_subscribed as (

    select
        living.account_id,
        living.customer_id,
        living.as_of_date,
        cast(min(subscriptions.started_at) as date) as first_subscribed_on
    from living
    inner join subscriptions
        on
            living.account_id = subscriptions.account_id
            and living.customer_id = subscriptions.customer_id
            and living.valued_until > subscriptions.created_at
    where subscriptions.has_lived
    group by living.account_id, living.customer_id, living.as_of_date

),

first_loaded as (

    select
        valuation_days.account_id,
        valuation_days.valued_on,
        min(load_report.loaded_at) as loaded_at
    from valuation_days
    inner join load_report
        on
            valuation_days.account_id = load_report.account_id
            and valuation_days.valued_until <= load_report.loaded_at
    group by
        valuation_days.account_id,
        valuation_days.valued_on

)

select
    living.*,
    first_subscribed.first_subscribed_on,
    living.as_of_date = as_of.as_of as is_scoring,
    coalesce(
        first_loaded.loaded_at > living.valued_until + interval '{{ timely_days }} days', true
    ) as is_backfilled
from living
inner join as_of
    on living.account_id = as_of.account_id
inner join first_subscribed
    on
        living.account_id = first_subscribed.account_id
        and living.customer_id = first_subscribed.customer_id
        and living.as_of_date = first_subscribed.as_of_date
left join first_loaded
    on
        living.account_id = first_loaded.account_id
        and living.as_of_date = first_loaded.valued_on
