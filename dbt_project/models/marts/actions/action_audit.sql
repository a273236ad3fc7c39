with

ledger as (select * from {{ ref('stg_action_ledger__events') }}),

ordered as (

    select
        account_id,
        seq,
        event_id,
        recorded_at,
        wall_at,
        kind,
        recommendation_id,
        action_id,
        step,
        attempt,
        livemode,
        customer_id,
        subscription_id,
        source_event_id,
        object_id,
        stripe_event_id,
        request_id,
        idempotency_key,
        plan_hash,
        currency,
        amount_minor,
        actor,
        actor_assurance,
        reasoning,
        body,
        prev_hash,
        hash

    from ledger

)

select * from ordered
