{{ config(post_hook="{{ keep_as_said('recommendations_said') }}") }}
{% set shared = [
    'account_id', 'recommendation_id', 'livemode', 'kind', 'customer_id', 'subscription_id', 'source_event_id',
    'subject_id', 'target_key', 'period', 'currency', 'params', 'precondition', 'reason', 'evidence', 'model_version',
    'confidence', 'as_of',
] %}
{# What is said of a running period stands no longer than it runs: an alert set later would count into the next one. #}
{% set lapses_at = 'cast(together.as_of + kinds.valid_days as timestamp)' %}
{% set period_ends_at = cast_or_null(text_in_json('together.evidence', '$.period_end'), 'timestamp') %}
with

proposals as (select * from {{ ref('int_proposals_worded') }}),
messages as (select * from {{ ref('int_customer_messages_proposed') }} where not is_settled),
customers as (select * from {{ ref('dim_customers') }}),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),
kinds as (select * from {{ ref('action_kinds') }}),
precisions as (select * from {{ ref('int_kind_precision') }}),

together as (

    select
        {{ shared | join(', ') }},
        amount_minor,
        pct_change,
        monthly_change_minor,
        margin,
        expected_value_minor,
        expected_value_low_minor,
        expected_value_high_minor,
        is_held_back
    from proposals
    union all
    select
        {{ shared | join(', ') }},
        0 as amount_minor,
        null as pct_change,
        0 as monthly_change_minor,
        null as margin,
        0 as expected_value_minor,
        0 as expected_value_low_minor,
        0 as expected_value_high_minor,
        false as is_held_back
    from messages

),

completed as (

    select
        -- what, for whom
        together.account_id,
        together.recommendation_id,
        together.livemode,
        together.kind,
        together.customer_id,
        customers.customer_tier,
        customers.segment,
        together.subscription_id,
        together.source_event_id,
        together.subject_id,
        together.target_key,
        together.period,

        -- how much
        together.currency,
        together.amount_minor,
        together.pct_change,
        together.monthly_change_minor,
        together.margin,

        -- how, and why
        together.params,
        together.precondition,
        together.reason,
        together.evidence,
        together.model_version,

        -- what it is worth
        together.expected_value_minor,
        together.expected_value_low_minor,
        together.expected_value_high_minor,
        together.confidence * coalesce(precisions.factor, 1.0) as confidence,
        risks.probability as risk_score,

        -- how long it stands
        least({{ lapses_at }}, coalesce({{ period_ends_at }}, {{ lapses_at }})) as expires_at,
        together.is_held_back,
        together.as_of

    from together
    inner join kinds
        on together.kind = kinds.kind
    left join customers
        on
            together.account_id = customers.account_id
            and together.customer_id = customers.customer_id
    left join precisions
        on
            together.account_id = precisions.account_id
            and together.kind = precisions.kind
    left join risks
        on
            together.account_id = risks.account_id
            and together.customer_id = risks.customer_id

)

select * from completed
