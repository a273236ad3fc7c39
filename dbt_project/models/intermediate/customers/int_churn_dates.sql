{# THE definition of churn: the day a customer's last living subscription ends, or the first of 30 days on each of which
   every item used less than a tenth of its own level before. Reads the future on purpose: only labels may read it. #}
with

subscriptions as (select * from {{ ref('int_subscriptions') }}),
usage_trailing as (select * from {{ ref('int_usage_trailing') }}),

ends as (

    select
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
            and ended.ended_at >= living.started_at
            and coalesce(ended.ended_at < living.ended_at, true)
    where
        ended.has_lived
        and ended.ended_at is not null
        and living.subscription_id is null

),

customer_days as (

    select
        account_id,
        customer_id,
        usage_date,
        -- items without usage before have no level to fall from
        coalesce(
            bool_and(
                next_30_days = 30
                and next_30_highest < 0.1 * 0.5 * (mean_28_before + mean_91_before)
            ) filter (where mean_28_before > 0),
            false
        ) as is_quiet
    from usage_trailing
    group by
        account_id,
        customer_id,
        usage_date

),

compared as (

    select
        *,
        lag(is_quiet, 1, false) over (partition by account_id, customer_id order by usage_date) as was_quiet
    from customer_days

)

select
    account_id,
    customer_id,
    churned_on,
    'subscription_ended' as cause
from ends
union all
select
    account_id,
    customer_id,
    usage_date as churned_on,
    'usage_stopped' as cause
from compared
where
    is_quiet
    and not was_quiet
