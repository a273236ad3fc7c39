{{ config(tags=['after_ml']) }}
{# The riskiest customers, and of each those most like it at a day whose outcome is known, each of them once. #}
{% set most_risks, most_cases = 25, 5 %}
{% set logged = ['days_past_due', 'tenure_days', 'mrr_minor'] %}
{% set measures = ['usage_left_28', 'usage_left_91', 'failed_payments_90d', 'overage_share', 'has_discount'] + logged %}

with

features as (select * from {{ ref('customer_asof') }}),
labels as (
    select * from {{ ref('churn_labels') }}
    where is_mature and horizon_days = {{ churn_horizon_days() }}
),
risky as (
    select
        *,
        row_number() over (partition by account_id order by probability desc, customer_id asc) as risk_rank
    from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }} and treatment != 'leaving'
),
actions as (select * from {{ ref('int_actions_executed') }}),
placed as ({{ standardised('features', measures, logged) }}),

pairs as (

    select
        risky.account_id,
        risky.customer_id,
        risky.as_of,
        labels.customer_id as similar_customer_id,
        labels.as_of_date as similar_as_of,
        labels.is_churned,
        labels.is_contracted,
        {{ unlikeness('cases', 'present', measures) }} as distance
    from risky
    inner join placed as present
        on {{ same_keys('risky', 'present', ['account_id', 'customer_id']) }} and risky.as_of = present.as_of_date
    inner join labels
        on
            risky.account_id = labels.account_id
            and risky.customer_id != labels.customer_id
    inner join placed as cases
        on {{ same_keys('labels', 'cases', ['account_id', 'customer_id', 'as_of_date']) }}
    where risky.risk_rank <= {{ most_risks }}

),

-- of several days of one customer the one most like
nearest_days as (

    select
        *,
        row_number() over (
            partition by account_id, customer_id, similar_customer_id order by distance asc, similar_as_of desc
        ) as day_rank
    from pairs

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, customer_id order by distance asc, similar_as_of desc, similar_customer_id asc
        ) as similar_rank
    from nearest_days
    where day_rank = 1

),

done as (

    select
        ranked.account_id,
        ranked.customer_id,
        ranked.similar_rank,
        count(*) as actions,
        {{ texts_joined('actions.kind', ', ', 'actions.executed_at, actions.action_id') }} as action_kinds
    from ranked
    inner join actions
        on
            ranked.account_id = actions.account_id
            and ranked.similar_customer_id = actions.customer_id
            and {{ end_of_day('ranked.similar_as_of') }} <= actions.executed_at
            and {{ end_of_day('ranked.similar_as_of + ' ~ churn_horizon_days()) }} > actions.executed_at
    where ranked.similar_rank <= {{ most_cases }}
    group by ranked.account_id, ranked.customer_id, ranked.similar_rank

)

select
    ranked.account_id,
    ranked.customer_id,
    ranked.as_of,
    cast(ranked.similar_rank as integer) as similar_rank,
    ranked.similar_customer_id,
    ranked.similar_as_of,
    cast(ranked.distance as {{ double_type() }}) as distance,
    cast(coalesce(done.actions, 0) as bigint) as actions_done,
    done.action_kinds,
    coalesce(features_after.credited_90d, 0) = 1 as was_credited,
    ranked.is_churned,
    ranked.is_contracted,
    cast(features.mrr_minor as bigint) as mrr_minor,
    cast(features_after.mrr_minor as bigint) as mrr_after_minor
from ranked
inner join features
    on
        ranked.account_id = features.account_id
        and ranked.similar_customer_id = features.customer_id
        and ranked.similar_as_of = features.as_of_date
left join features as features_after
    on
        ranked.account_id = features_after.account_id
        and ranked.similar_customer_id = features_after.customer_id
        and {{ month_end(add_months(month_start('ranked.similar_as_of'), 3)) }} = features_after.as_of_date
left join done
    on {{ same_keys('ranked', 'done', ['account_id', 'customer_id', 'similar_rank']) }}
where ranked.similar_rank <= {{ most_cases }}
