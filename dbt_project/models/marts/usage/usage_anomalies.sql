with

incidents as (select * from {{ ref('int_anomaly_incidents') }}),
gates as (select * from {{ ref('int_anomaly_gates') }}),
budgets as (select * from {{ ref('alert_budgets') }} where kind = 'usage_anomaly'),

gated as (

    select
        incidents.*,
        gates.cause,
        gates.owner,
        gates.rated_amount_minor,
        gates.excess_amount_minor,
        gates.severity_minor,
        gates.is_projected,
        gates.is_material,
        gates.is_concentrated,
        not gates.is_planned and not gates.is_lagging and not gates.is_explained as is_unexplained,
        case
            when not gates.is_material then 'immaterial'
            when not gates.is_concentrated then 'company_wide'
            when gates.is_planned then 'planned_event'
            when gates.is_explained then gates.cause
            when gates.is_lagging then 'reporting_lag'
        end as why_not_told
    from incidents
    inner join gates
        on {{ same_keys('incidents', 'gates', ['account_id', 'anomaly_id']) }}

),

-- who came first is told: what has been told is not taken back by a later, dearer one
placed as (

    select
        *,
        row_number() over (
            partition by account_id, {{ month_start('started_on') }}, why_not_told is null
            order by started_on asc, severity_minor desc, anomaly_id asc
        ) as place
    from gated

)

select
    placed.account_id,
    placed.anomaly_id,
    placed.customer_id,
    placed.subscription_item_id,
    placed.meter_id,
    placed.kind,
    placed.cause,
    placed.state,
    placed.owner,
    placed.started_on,
    placed.ended_on,
    placed.days,
    placed.unusual_days,
    placed.rule_baseline_days,
    placed.quantity,
    placed.expected_quantity,
    placed.excess_quantity,
    placed.score,
    placed.detectors,
    placed.related_ratio,
    placed.company_share,
    placed.severity_minor,
    placed.excess_amount_minor,
    placed.rated_amount_minor,
    placed.is_projected,
    placed.currency,
    placed.period_start,
    placed.is_material,
    placed.is_concentrated,
    placed.is_unexplained,
    placed.why_not_told is not null or placed.place <= coalesce(budgets.most_a_month, placed.place) as is_within_budget,
    placed.why_not_told is null and placed.place <= coalesce(budgets.most_a_month, placed.place) as is_told,
    case
        when placed.why_not_told is null and placed.place > budgets.most_a_month then 'over_budget'
        else placed.why_not_told
    end as why_not_told,
    placed.model_version
from placed
-- without a budget all are told
left join budgets
    on budgets.kind = 'usage_anomaly'
