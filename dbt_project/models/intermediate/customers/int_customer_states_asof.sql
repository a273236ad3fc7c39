{# Whether a customer's subscriptions were all cancelled, paused or on trial on the days that churn is judged on.
   Pauses are known from the day before the first load on; a cancellation taken back before it was never known. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
states as (select * from {{ ref('int_subscription_states') }}),

living as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        coalesce(subscriptions.canceled_at < customer_days.valued_until, false) as is_leaving,
        coalesce(not states.is_counted, false) as is_uncounted,
        coalesce(
            subscriptions.trial_ends_at >= customer_days.valued_until
            and subscriptions.trial_started_at < customer_days.valued_until,
            false
        ) as is_on_trial
    from customer_days
    inner join subscriptions
        on
            customer_days.account_id = subscriptions.account_id
            and customer_days.customer_id = subscriptions.customer_id
            and customer_days.valued_until > subscriptions.started_at
            and customer_days.valued_until > subscriptions.created_at
            and coalesce(subscriptions.ended_at >= customer_days.valued_until, true)
    left join states
        on
            subscriptions.account_id = states.account_id
            and subscriptions.subscription_id = states.subscription_id
            and customer_days.valued_until > states.valid_from
            and coalesce(customer_days.valued_until <= states.valid_to, true)
    where subscriptions.has_lived

)

select
    account_id,
    customer_id,
    as_of_date,
    bool_and(is_leaving) as is_leaving,
    bool_and(is_uncounted) and not bool_or(is_on_trial) as is_paused,
    bool_and(is_uncounted) and bool_or(is_on_trial) as is_trialing
from living
group by
    account_id,
    customer_id,
    as_of_date
