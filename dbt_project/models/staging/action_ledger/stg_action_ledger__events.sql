with

source as (select * from {{ source('raw_ledger', 'audit_log') }}),

renamed as (

    select
        -- ids
        event_id,
        cast(seq as bigint) as seq,
        account_id,
        recommendation_id,
        action_id,
        cast(step as integer) as step,
        cast(attempt as integer) as attempt,
        customer_id,
        subscription_id,
        source_event_id,
        object_id,
        stripe_event_id,
        request_id,
        idempotency_key,

        -- text
        kind,
        lower(currency) as currency,
        actor,
        actor_assurance,
        reasoning,
        body,

        -- numbers
        cast(amount_minor as bigint) as amount_minor,

        -- booleans
        cast(livemode as boolean) as livemode,

        -- times in UTC; recorded_at never goes backwards, wall is the raw clock
        {{ from_microseconds('at_us') }} as recorded_at,
        {{ from_microseconds('wall_us') }} as wall_at,

        -- hashes
        plan_hash,
        prev_hash,
        hash

    from source

)

select * from renamed
