{# What stands against each proposal by itself: what was decided, open alerts, old scores, the rules of business. #}
{% set scored_by = {
    'usage_forecast': 'stg_ml__usage_forecast',
    'churn_risk': 'stg_ml__churn_risk',
    'usage_anomalies': 'stg_ml__usage_anomaly_runs',
} %}
with

proposals as (select * from {{ ref('int_proposals_identified') }}),
kinds as (select * from {{ ref('action_kinds') }}),
current_days as (select * from {{ ref('int_as_of') }}),
decided as (select * from {{ ref('int_actions_decided') }}),
margins as (select * from {{ ref('int_customer_margins') }}),
rules as ({{ price_rules() }}),

-- errors in what models rest on stand against everything, a breach of a model against what rests on it
doubts as (
    select distinct
        account_id,
        model_name
    from {{ ref('alerts') }}
    where state = 'open' and not is_acknowledged
),

scored_days as (

    {% for model_name, scores in scored_by.items() %}
        select
            account_id,
            '{{ model_name }}' as model_name,
            max(as_of) as as_of
        from {{ ref(scores) }}
        group by account_id
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

paid as (
    select
        proposals.*,
        margins.monthly_cost_minor as cost_minor,
        margins.monthly_revenue_minor + proposals.monthly_change_minor as paid_minor
    from proposals
    left join margins on {{ same_keys('proposals', 'margins', ['account_id', 'customer_id', 'currency']) }}
),

margined as (
    select
        *,
        coalesce(
            -- a forecast change may take off more than the last bill was: of what is not paid there is no share
            case when paid_minor > 0 then {{ share_of('paid_minor - cost_minor', 'paid_minor') }} end,
            {{ cast_or_null(text_in_json('evidence', '$.margin'), 'decimal(18, 6)') }}
        ) as margin
    from paid
),

last_decided as (
    select
        {{ columns_of('decided', ['account_id', 'customer_id', 'conflict_key']) }},
        max(decided_on) as decided_on
    from decided
    group by account_id, customer_id, conflict_key
),

checked as (
    select
        margined.*,
        kinds.most_share,
        kinds.hold_back_share,
        coalesce(
            margined.customer_id || ' ' || {{ conflict_key('margined.kind', 'kinds.conflict_group') }},
            margined.recommendation_id
        ) as conflict_key,
        decided.recommendation_id is not null as is_settled,
        doubts.model_name is not null or data_doubts.model_name is not null as is_doubted,
        margined.as_of < current_days.as_of
        or (
            kinds.rests_on in ('usage_forecast', 'churn_risk', 'usage_anomalies')
            and coalesce(scored_days.as_of < current_days.as_of, true)
        ) as is_stale,
        case
            -- people act after the day of the data: without a cool-down nothing waits for the next one
            when kinds.cooldown_days > 0 and last_decided.decided_on + kinds.cooldown_days > current_days.as_of
                then last_decided.decided_on + kinds.cooldown_days
        end as cools_until,
        -- what makes a customer pay less leaves the least margin; what is owed is given; contracts are kept
        case
            when
                margined.monthly_change_minor < 0
                and margined.margin < rules.min_margin
                then 'min_margin'
            when {{ text_in_json('margined.evidence', '$.locked_until') }} is not null then 'contract_lock'
        end as refusal
    from margined
    inner join kinds on margined.kind = kinds.kind
    inner join current_days on margined.account_id = current_days.account_id
    cross join rules
    left join decided on {{ same_keys('margined', 'decided', ['account_id', 'recommendation_id']) }}
    left join last_decided
        on
            {{ same_keys('margined', 'last_decided', ['account_id', 'customer_id']) }}
            and {{ conflict_key('margined.kind', 'kinds.conflict_group') }} = last_decided.conflict_key
    left join scored_days
        on margined.account_id = scored_days.account_id and kinds.rests_on = scored_days.model_name
    left join doubts
        on margined.account_id = doubts.account_id and kinds.rests_on = doubts.model_name
    left join doubts as data_doubts
        on
            margined.account_id = data_doubts.account_id
            and data_doubts.model_name = 'all'
)

select * from checked
