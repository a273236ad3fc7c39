{# THE definition of churn: the day a customer's last living subscription ends, or the first of 30 days on each of which
   every item used less than a tenth of its own level before. Reads the future on purpose: only labels may read it. #}
with

subscriptions as (select * from {{ ref('int_subscriptions') }}),
quiet_days as (select * from {{ ref('int_quiet_days') }}),

ends as (

    select distinct
        ended.account_id,
        ended.customer_id,
        cast(ended.ended_at as date) as churned_on
    from subscriptions as ended
    left join subscriptions as living
        on
            ended.account_id = living.account_id
            and ended.customer_id = living.customer_id
            and ended.subscription_id != living.subscription_id
            and living.has_lived
            -- one made later and dated back is a customer who came back
            and living.created_at < {{ end_of_day('cast(ended.ended_at as date)') }}
            and ended.ended_at >= living.started_at
            and coalesce(ended.ended_at < living.ended_at, true)
    where
        ended.has_lived
        and ended.ended_at is not null
        and living.subscription_id is null

)

select
    account_id,
    customer_id,
    churned_on,
    'subscription_ended' as cause
from ends
union all
-- a run begins on a quiet day after one that is not
select
    quiet_days.account_id,
    quiet_days.customer_id,
    quiet_days.quiet_from as churned_on,
    'usage_stopped' as cause
from quiet_days
left join quiet_days as before
    on
        quiet_days.account_id = before.account_id
        and quiet_days.customer_id = before.customer_id
        and quiet_days.quiet_from - 1 = before.quiet_from
where before.quiet_from is null
