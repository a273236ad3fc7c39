{# What was done or declined, by the warehouse's time as far as it is known: Stripe's clock where the ledger noted it,
   else the warehouse's day of the plan, else the ledger's own. What takes another action back decides nothing. #}
with

ledger as (select * from {{ ref('stg_action_ledger__events') }}),
kinds as (select * from {{ ref('action_kinds') }}),

plans as (

    select
        account_id,
        action_id,
        max({{ text_in_json('body', '$.recommendation_kind') }}) as kind,
        max({{ text_in_json('body', '$.as_of') }}) as planned_as_of,
        max({{ text_in_json('body', '$.undoes') }}) as undoes

    from ledger
    where kind in ('planned', 'intent')
    group by account_id, action_id

),

decided as (

    select
        ledger.account_id,
        ledger.recommendation_id,
        max(ledger.customer_id) as customer_id,
        max({{ conflict_key('plans.kind', 'kinds.conflict_group') }}) as conflict_key,
        max(cast(coalesce(
            {{ from_epoch(text_in_json('ledger.body', '$.server_at')) }},
            cast(plans.planned_as_of as timestamp),
            ledger.recorded_at
        ) as date)) as decided_on,
        bool_or(ledger.kind = 'declined') as is_declined

    from ledger
    left join plans
        on
            ledger.account_id = plans.account_id
            and ledger.action_id = plans.action_id
    left join kinds
        on plans.kind = kinds.kind
    where
        ledger.kind in ('outcome', 'reconciled', 'declined')
        and ledger.recommendation_id is not null
        and plans.undoes is null
    group by ledger.account_id, ledger.recommendation_id

)

select * from decided
