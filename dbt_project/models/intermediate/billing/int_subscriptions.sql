{# Subscriptions as they were known at as_of: what happened later has not happened. #}
with

subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),

known as (

    select
        subscriptions.*,
        as_of.known_until,
        {{ if_known('subscriptions.ended_at', 'as_of.known_until') }} as known_ended_at,
        {{ if_known('subscriptions.canceled_at', 'as_of.known_until') }} as known_canceled_at
    from subscriptions
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    where subscriptions.created_at < as_of.known_until

),

rewound as (

    select
        account_id,
        subscription_id,
        customer_id,
        -- an end that is not known yet had not changed the status
        case
            when ended_at is not null and known_ended_at is null then 'active'
            else status
        end as status,
        case
            when known_ended_at is not null then 'ended'
            when status = 'trialing' then 'trialing'
            -- nothing is billed to it, or nothing is collected any more
            when status in ('paused', 'unpaid') then 'suspended'
            else 'served'
        end as standing,
        -- a first payment that never came: there was no subscription
        status not in ('incomplete', 'incomplete_expired') as has_lived,
        currency,
        started_at,
        trial_started_at,
        trial_ends_at,
        known_canceled_at as canceled_at,
        known_ended_at as ended_at,
        cancel_at_period_end and known_canceled_at is not null as cancel_at_period_end,
        case when known_canceled_at is not null then cancellation_reason end as cancellation_reason,
        discounts,
        created_at
    from known

)

select * from rewound
