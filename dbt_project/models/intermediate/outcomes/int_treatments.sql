{# What is measured: customers for whom something was carried out, and customers for whom advice was held back on
   purpose. The first day that counts of the latter is the one on which it could first have been carried out. #}
with

actions as (select * from {{ ref('int_actions_executed') }}),
said as (select * from {{ ref('stg_ml__recommendations_said') }} where is_held_back),

numbered as (

    select
        *,
        row_number() over (
            partition by account_id, recommendation_id
            order by as_of, scored_at, run_id
        ) as said_number
    from said

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
        numbered.as_of + 1 as started_on
    from numbered
    left join actions on {{ same_keys('numbered', 'actions', ['account_id', 'recommendation_id']) }}
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

)

select * from carried_out
union all
select * from held_back
