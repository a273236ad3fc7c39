{# Three gates before anyone is told: enough money, not the whole company, nothing that explains it. #}
{% set rules = anomaly_rules() -%}
with

incidents as (select * from {{ ref('int_anomaly_incidents') }}),
amounts as (select * from {{ ref('int_anomaly_amounts') }}),
causes as (select * from {{ ref('int_anomaly_causes') }}),
known_causes as (select * from {{ ref('anomaly_causes') }}),
floors as (select * from {{ ref('anomaly_floors') }}),
planned_events as (select * from {{ ref('planned_events') }}),

planned as (

    select distinct
        incidents.account_id,
        incidents.anomaly_id
    from incidents
    inner join planned_events
        on
            incidents.started_on <= coalesce(planned_events.last_day, incidents.started_on)
            and incidents.ended_on >= planned_events.first_day
            and coalesce(incidents.customer_id = planned_events.customer_id, planned_events.customer_id is null)
            and coalesce(
                incidents.meter_event_name = planned_events.meter_event_name, planned_events.meter_event_name is null
            )
            and coalesce(
                incidents.direction = case planned_events.direction when 'up' then 1 when 'down' then -1 end,
                planned_events.direction is null
            )

)

select
    incidents.account_id,
    incidents.anomaly_id,
    causes.cause,
    known_causes.owner,
    amounts.rated_amount_minor,
    amounts.excess_amount_minor,
    abs(amounts.excess_amount_minor) as severity_minor,
    coalesce(amounts.is_projected, false) as is_projected,
    -- without a floor for the currency any amount is worth telling
    coalesce(amounts.excess_amount_minor != 0, false)
    and abs(amounts.excess_amount_minor) >= coalesce(floors.floor_minor, 0) as is_material,
    coalesce(incidents.company_share < {{ rules.company_share }}, true) as is_concentrated,
    planned.anomaly_id is not null as is_planned,
    incidents.direction < 0
    and {{ days_from('incidents.started_on', 'incidents.as_of') }} < {{ rules.lag_days }} as is_lagging,
    known_causes.is_explained
from incidents
inner join causes
    on {{ same_keys('incidents', 'causes', ['account_id', 'anomaly_id']) }}
inner join known_causes
    on causes.cause = known_causes.cause
left join amounts
    on
        {{ same_keys('incidents', 'amounts', ['account_id', 'subscription_item_id']) }}
        and incidents.started_on = amounts.incident_start
left join floors
    on incidents.currency = floors.currency
left join planned
    on {{ same_keys('incidents', 'planned', ['account_id', 'anomaly_id']) }}
