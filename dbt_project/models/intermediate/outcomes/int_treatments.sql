{# What is measured: customers for whom something was carried out, and customers for whom advice was held back on
   purpose. The first day that counts of the latter is the one on which it would have been carried out: as many days
   after it was first advised as half of its kind's actions waited. Whoever left in those days would not have been
   treated either. #}
with

actions as (select * from {{ ref('int_actions_executed') }}),
said as (select * from {{ ref('stg_ml__recommendations_said') }}),

numbered as (

    select
        *,
        row_number() over (
            partition by account_id, recommendation_id
            order by as_of, scored_at, run_id
        ) as said_number
    from said
    where is_held_back

),

advised as (

    select
        account_id,
        recommendation_id,
        min(as_of) as as_of
    from said
    group by account_id, recommendation_id

),

waits as (

    select
        actions.account_id,
        actions.kind,
        {{ median_of('greatest(' ~ days_from('advised.as_of', 'cast(actions.executed_at as date)') ~ ', 1)') }} as days
    from actions
    inner join advised on {{ same_keys('actions', 'advised', ['account_id', 'recommendation_id']) }}
    group by actions.account_id, actions.kind

),

held_back as (

    select
        numbered.account_id,
        'held_back' as arm,
        cast(null as {{ text_type() }}) as action_id,
        numbered.recommendation_id,
        numbered.livemode,
        numbered.kind,
        numbered.customer_id,
        numbered.subscription_id,
        cast(null as {{ text_type() }}) as object_id,
        numbered.currency,
        numbered.amount_minor,
        cast(null as timestamp) as executed_at,
        cast(null as timestamp) as undone_at,
        numbered.as_of + cast(floor(coalesce(waits.days, 1)) as integer) as started_on
    from numbered
    left join actions on {{ same_keys('numbered', 'actions', ['account_id', 'recommendation_id']) }}
    left join waits on {{ same_keys('numbered', 'waits', ['account_id', 'kind']) }}
    where
        numbered.said_number = 1
        -- somebody changed their mind
        and actions.action_id is null

),

carried_out as (

    select
        account_id,
        'carried_out' as arm,
        action_id,
        recommendation_id,
        livemode,
        kind,
        customer_id,
        subscription_id,
        object_id,
        currency,
        amount_minor,
        executed_at,
        undone_at,
        cast(executed_at as date) as started_on
    from actions

),

treatments as (

    select * from carried_out
    union all
    select * from held_back

)

select
    *,
    -- who is held back is advised again in each period: a customer counts once in an arm
    customer_id is not null and row_number() over (
        partition by account_id, kind, arm, customer_id
        order by started_on, recommendation_id, action_id
    ) = 1 as is_first
from treatments
