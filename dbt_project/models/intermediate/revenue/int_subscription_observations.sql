{# What is known of a subscription's state, and when it was so: each event carries the whole subscription as it was
   then, and each load read what had changed. Of events only fields that no version of Stripe's API has renamed are
   read, because an event keeps the shape of the account's own version. #}
with

versions as (
    select * from {{ ref('stg_stripe__versions') }}
    where
        kind = 'subscriptions'
        or (kind = 'events' and payload like '%"customer.subscription.%')
),

objects as (

    select
        account_id,
        kind,
        loaded_at,
        position,
        is_deleted,
        case when kind = 'events' then {{ text_in_json('payload', '$.type') }} end as event_type,
        {{ time_in_json('payload', '$.created') }} as created_at,
        case
            when kind = 'events' then {{ part_of_json('payload', '$.data.object') }}
            else {{ part_of_json('payload', '$') }}
        end as body
    from versions

),

described as (

    select
        account_id,
        kind,
        loaded_at,
        position,
        event_type,
        created_at,
        {{ text_in_json('body', '$.id') }} as subscription_id,
        case when is_deleted then 'canceled' else {{ text_in_json('body', '$.status') }} end as status,
        {{ text_in_json('body', '$.pause_collection.behavior') }} as pause_behavior,
        {{ time_in_json('body', '$.ended_at') }} as ended_at,
        {{ text_in_json('body', '$.items.has_more') }} as has_more_items,
        {{ part_of_json('body', '$.items.data') }} as items
    from objects

)

select
    account_id,
    subscription_id,
    status,
    pause_behavior,
    -- its own date says when it ended, though no event may
    case when kind = 'events' then created_at else least(loaded_at, ended_at) end as observed_at,
    loaded_at,
    -- within a second: by what the type says, and what a load read comes after what it was told of
    case
        when kind = 'subscriptions' then 3
        when event_type = 'customer.subscription.created' then 0
        when event_type = 'customer.subscription.deleted' then 2
        else 1
    end as turn,
    -- and at last as Stripe lists them, events newest first
    case when kind = 'events' then -position else position end as place,
    -- no more than ten items are embedded; loads read them all, each by itself
    case when kind = 'events' and has_more_items = 'false' then items end as items
from described
where
    status is not null
    and (kind = 'subscriptions' or event_type like 'customer.subscription.%')
