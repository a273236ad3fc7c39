with

proposals as (select * from {{ ref('int_proposals_resolved') }}),
customers as (select * from {{ ref('dim_customers') }}),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),
kinds as (select * from {{ ref('action_kinds') }}),
alerts as (select * from {{ ref('alerts') }} where state = 'open' and not is_acknowledged),

-- errors in what models rest on stand against everything, a breach of a model against what rests on it
doubts as (

    select distinct
        alerts.account_id,
        kinds.kind
    from alerts
    cross join kinds
    where
        alerts.model_name = 'all'
        or alerts.model_name = kinds.rests_on

),

completed as (

    select
        -- what, for whom
        proposals.account_id,
        proposals.recommendation_id,
        proposals.livemode,
        proposals.kind,
        proposals.customer_id,
        customers.customer_tier,
        customers.segment,
        proposals.subscription_id,
        proposals.source_event_id,
        proposals.subject_id,
        proposals.target_key,
        proposals.period,

        -- how much
        proposals.currency,
        proposals.amount_minor,
        proposals.pct_change,
        cast(null as decimal(18, 6)) as margin,

        -- how, and why
        proposals.params,
        proposals.precondition,
        proposals.reason,
        proposals.evidence,
        proposals.model_version,

        -- what it is worth
        proposals.expected_value_minor,
        proposals.expected_value_low_minor,
        proposals.expected_value_high_minor,
        case when doubts.kind is null then 1.0 else 0.5 end * proposals.confidence as confidence,
        doubts.kind is not null as is_doubted,
        risks.probability as risk_score,

        -- how long it stands
        cast(proposals.as_of + kinds.valid_days as timestamp) as expires_at,
        false as is_held_back,
        proposals.as_of

    from proposals
    inner join customers
        on
            proposals.account_id = customers.account_id
            and proposals.customer_id = customers.customer_id
    inner join kinds
        on proposals.kind = kinds.kind
    left join doubts
        on
            proposals.account_id = doubts.account_id
            and proposals.kind = doubts.kind
    left join risks
        on
            proposals.account_id = risks.account_id
            and proposals.customer_id = risks.customer_id

)

select * from completed
