{# The days that churn is judged on: month ends and as_of, for each customer with a living subscription that day. #}
with

valuation_days as (select * from {{ ref('int_valuation_days') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

living as (

    select
        valuation_days.account_id,
        subscriptions.customer_id,
        valuation_days.month_start,
        valuation_days.valued_on as as_of_date,
        valuation_days.valued_until,
        arg_min(subscriptions.subscription_id, subscriptions.started_at) as subscription_id,
        arg_min(subscriptions.currency, subscriptions.started_at) as currency
    from valuation_days
    inner join subscriptions
        on
            valuation_days.account_id = subscriptions.account_id
            and valuation_days.valued_until > subscriptions.started_at
            and coalesce(subscriptions.ended_at >= valuation_days.valued_until, true)
    where subscriptions.has_lived
    group by
        valuation_days.account_id,
        subscriptions.customer_id,
        valuation_days.month_start,
        valuation_days.valued_on,
        valuation_days.valued_until

),

first_subscribed as (

    select
        account_id,
        customer_id,
        cast(min(started_at) as date) as first_subscribed_on
    from subscriptions
    where has_lived
    group by
        account_id,
        customer_id

)

select
    living.*,
    first_subscribed.first_subscribed_on,
    living.as_of_date = as_of.as_of as is_scoring
from living
inner join as_of
    on living.account_id = as_of.account_id
inner join first_subscribed
    on
        living.account_id = first_subscribed.account_id
        and living.customer_id = first_subscribed.customer_id
