-- Fails for each outcome whose step was never meant: a request that was sent before it was written down.
with

audit as (select * from {{ ref('action_audit') }})

select outcomes.*
from audit as outcomes
where
    outcomes.kind in ('outcome', 'reconciled')
    and not exists (
        select 1
        from audit as intents
        where
            intents.kind = 'intent'
            and intents.action_id = outcomes.action_id
            and intents.step = outcomes.step
            and intents.seq < outcomes.seq
    )
