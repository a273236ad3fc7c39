{# Ends of living subscriptions that are already booked: a date to cancel at, the end of the period, or of a schedule
   that cancels when its last phase is over. Of several the first counts. #}
with

subscriptions as (select * from {{ ref('int_subscriptions') }} where ended_at is null),
landed as (select * from {{ ref('stg_stripe__subscriptions') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
schedules as (select * from {{ ref('stg_stripe__subscription_schedules') }} where not is_deleted),
as_of as (select * from {{ ref('int_as_of') }}),

booked as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        landed.cancel_at as ends_at
    from subscriptions
    inner join landed
        on
            subscriptions.account_id = landed.account_id
            and subscriptions.subscription_id = landed.subscription_id
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    where coalesce(landed.canceled_at, landed.created_at) < as_of.known_until
    union all
    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        items.current_period_end as ends_at
    from subscriptions
    inner join items
        on
            subscriptions.account_id = items.account_id
            and subscriptions.subscription_id = items.subscription_id
    where subscriptions.cancel_at_period_end
    union all
    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        {{ end_of_phases('schedules.phases') }} as ends_at
    from subscriptions
    inner join schedules
        on
            subscriptions.account_id = schedules.account_id
            and subscriptions.subscription_id = schedules.subscription_id
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    where
        schedules.end_behavior = 'cancel'
        and schedules.status in ('active', 'not_started')
        and schedules.created_at < as_of.known_until

)

select
    account_id,
    subscription_id,
    min(ends_at) as ends_at
from booked
where ends_at is not null
group by
    account_id,
    subscription_id
