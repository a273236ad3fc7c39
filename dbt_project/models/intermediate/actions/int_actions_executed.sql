{# Stripe's clock says when an action happened, because invoices are dated by it: the event that carries the request's
   idempotency key, else the balance transaction made, else the response's date, else the runner's own clock. #}
with

ledger as (select * from {{ ref('stg_action_ledger__events') }}),
stripe_events as (select * from {{ ref('stg_stripe__events') }}),
balance_transactions as (select * from {{ ref('stg_stripe__customer_balance_transactions') }}),

intents as (

    select
        account_id,
        action_id,
        step,
        {{ latest_by(text_in_json('body', '$.recommendation_kind'), 'attempt') }} as recommendation_kind,
        {{ latest_by(part_of_json('body', '$.params'), 'attempt') }} as params

    from ledger
    where kind = 'intent'
    group by account_id, action_id, step

),

outcomes as (

    select
        *,
        {{ from_epoch(text_in_json('body', '$.server_at')) }} as server_at

    from ledger
    where
        kind in ('outcome', 'reconciled')
        and action_id is not null

),

seen_events as (

    select
        account_id,
        idempotency_key,
        min(created_at) as created_at

    from stripe_events
    where idempotency_key is not null
    group by account_id, idempotency_key

),

dated as (

    select
        outcomes.account_id,
        outcomes.action_id,
        outcomes.recommendation_id,
        outcomes.livemode,
        outcomes.step,
        intents.recommendation_kind as kind,
        outcomes.customer_id,
        outcomes.subscription_id,
        outcomes.object_id,
        outcomes.currency,
        outcomes.amount_minor,
        intents.params,
        coalesce(
            seen_events.created_at, balance_transactions.created_at, outcomes.server_at, outcomes.recorded_at
        ) as executed_at,
        row_number() over (
            partition by outcomes.account_id, outcomes.action_id
            order by outcomes.step desc
        ) as step_from_last

    from outcomes
    left join intents
        on
            outcomes.account_id = intents.account_id
            and outcomes.action_id = intents.action_id
            and outcomes.step = intents.step
    left join seen_events
        on
            outcomes.account_id = seen_events.account_id
            and outcomes.idempotency_key = seen_events.idempotency_key
    left join balance_transactions
        on
            outcomes.account_id = balance_transactions.account_id
            and outcomes.object_id = balance_transactions.balance_transaction_id
)

-- an action of several steps is done with its last one
select * from dated
where step_from_last = 1
