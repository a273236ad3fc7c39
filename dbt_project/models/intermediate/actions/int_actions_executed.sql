{# Of every action whose steps are all done, the last one; of a decision (a payment plan, a message) that it was
   recorded. Not of a change of phase, nor of what takes another action back. Stripe's clock says when an action happened,
   because invoices are dated by it: the first event that carries the request's idempotency key, else the balance
   transaction made, else the response's date, else ours. #}
with

ledger as (select * from {{ ref('stg_action_ledger__events') }}),
undone as (select * from {{ ref('stg_action_ledger__events') }} where kind = 'compensated'),
stripe_events as (select * from {{ ref('stg_stripe__events') }}),
balance_transactions as (select * from {{ ref('stg_stripe__customer_balance_transactions') }}),

intents as (

    select
        account_id,
        action_id,
        step,
        {{ latest_by(text_in_json('body', '$.recommendation_kind'), 'attempt') }} as recommendation_kind,
        {{ latest_by(part_of_json('body', '$.params'), 'attempt') }} as params,
        {{ latest_by(text_in_json('body', '$.executor'), 'attempt') }} as executor
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
        -- a decision is done when it is recorded, and makes none; whatever else made none was given up
        and (object_id is not null or kind = 'outcome')

),

plans as (

    select
        account_id,
        action_id,
        {{ text_in_json('body', '$.undoes') }} as undoes,
        {{ part_of_json('body', '$.steps') }} as steps
    from ledger
    where kind = 'planned'

),

planned_steps as ({{ rows_of_json('plans', 'steps', ['account_id', 'action_id', 'undoes'], {'path': 'VARCHAR'}) }}),

step_counts as (

    select
        account_id,
        action_id,
        undoes,
        count(*) as steps
    from planned_steps
    group by account_id, action_id, undoes

),

dated as (

    select
        outcomes.account_id,
        outcomes.action_id,
        outcomes.recommendation_id,
        outcomes.livemode,
        outcomes.step,
        intents.recommendation_kind as kind,
        intents.executor,
        outcomes.customer_id,
        outcomes.subscription_id,
        outcomes.object_id,
        outcomes.currency,
        outcomes.amount_minor,
        intents.params,
        undone.recorded_at as undone_at,
        step_counts.undoes,
        coalesce(
            stripe_events.created_at, balance_transactions.created_at, outcomes.server_at, outcomes.recorded_at
        ) as executed_at,
        row_number() over (
            partition by outcomes.account_id, outcomes.action_id
            order by outcomes.step desc, stripe_events.created_at asc
        ) as step_from_last,
        coalesce(step_counts.steps, 0) as steps_planned
    from outcomes
    left join intents
        on
            outcomes.account_id = intents.account_id
            and outcomes.action_id = intents.action_id
            and outcomes.step = intents.step
    left join step_counts
        on
            outcomes.account_id = step_counts.account_id
            and outcomes.action_id = step_counts.action_id
    left join undone
        on {{ same_keys('outcomes', 'undone', ['account_id', 'action_id']) }}
    left join stripe_events
        on {{ same_keys('outcomes', 'stripe_events', ['account_id', 'idempotency_key']) }}
    left join balance_transactions
        on
            outcomes.account_id = balance_transactions.account_id
            and outcomes.object_id = balance_transactions.balance_transaction_id
)
select * from dated
where
    step_from_last = 1
    and step + 1 >= steps_planned
    and undoes is null
    -- of what was recovered without its plan nobody knows the kind
    and coalesce(kind != 'phase_change', true)
