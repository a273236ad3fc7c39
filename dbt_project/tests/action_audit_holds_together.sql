-- Fails for each event that the ledger should not hold as it stands: it does not follow the one before it, by number or
-- by hash; an outcome that was sent before it was written down; an intent without enough approvals of its very plan.
with

audit as (select * from {{ ref('action_audit') }}),

followed as (

    select
        *,
        lag(seq) over (order by seq) as seq_before,
        lag(hash) over (order by seq) as hash_before,
        -- what was found in Stripe after the ledger was lost has no intent any more
        coalesce({{ text_in_json('body', '$.recovered') }} = 'true', false) as is_recovered,
        cast({{ text_in_json('body', '$.needed') }} as bigint) as needed

    from audit

),

approvals as (

    select
        plan_hash,
        seq,
        coalesce({{ text_in_json('body', '$.uid') }}, actor) as approver,
        actor_assurance,
        {{ from_microseconds(text_in_json('body', '$.expires_us')) }} as expires_at

    from audit
    where kind = 'approved'

),

plans as (

    select
        action_id,
        coalesce({{ text_in_json('body', '$.verdict.approvers') }} = '0', false) as is_automatic

    from audit
    where kind = 'planned'

),

approved as (

    select
        intents.seq,
        intents.needed,
        count(distinct approvals.approver) as approvers

    from followed as intents
    left join plans
        on intents.action_id = plans.action_id
    left join approvals
        on
            intents.plan_hash = approvals.plan_hash
            and approvals.seq < intents.seq
            -- used up by the first call; those after it finish what was begun
            and (approvals.expires_at > intents.wall_at or intents.step > 0 or intents.attempt > 0)
            and (
                approvals.actor_assurance = 'os_user'
                or (approvals.actor_assurance = 'service' and plans.is_automatic)
            )
    where intents.kind = 'intent'
    group by intents.seq, intents.needed

),

wrong as (

    select
        seq,
        'does not follow the event before it' as what
    from followed
    where
        seq != coalesce(seq_before, 0) + 1
        or prev_hash != hash_before

    union all

    select
        outcomes.seq,
        'has no intent before it' as what
    from followed as outcomes
    where
        outcomes.kind in ('outcome', 'reconciled')
        and not outcomes.is_recovered
        and not exists (
            select 1
            from audit as intents
            where
                intents.kind = 'intent'
                and intents.action_id = outcomes.action_id
                and intents.step = outcomes.step
                and intents.seq < outcomes.seq
        )

    union all

    select
        seq,
        'has too few approvals' as what
    from approved
    where approvers < coalesce(needed, 1)

)

select * from wrong
