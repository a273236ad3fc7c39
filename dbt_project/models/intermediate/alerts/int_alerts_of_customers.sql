{# Incidents, risks and limits that somebody should act on: what their texts need, in words. Customers by their ids:
   alerts leave the house. An incident is told for some days after its end (alert_owners), a risk while critical. #}
{{ config(tags=['after_ml']) }}
with

current_days as (select * from {{ ref('int_as_of') }}),
owners as (select * from {{ ref('alert_owners') }}),
currencies as (select * from {{ ref('currencies') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
incidents as (select * from {{ ref('usage_anomalies') }} where is_told),
risks as (
    select *
    from {{ ref('churn_risk') }}
    where
        is_current
        and horizon_days = {{ churn_horizon_days() }}
        and risk_band = 'critical'
        -- who has asked to leave has decided: nothing to warn of
        and treatment != 'leaving'
),
loads as (select * from {{ ref('int_capacity_expected') }} where share_of_limit >= warn_share)

select
    incidents.account_id,
    'alert_anomaly' as template,
    'anomaly' as kind,
    case when incidents.state = 'open' then 'warning' else 'info' end as severity,
    incidents.anomaly_id as dedupe_key,
    incidents.owner,
    incidents.customer_id,
    incidents.subscription_item_id,
    incidents.meter_id,
    incidents.kind as what,
    coalesce(meters.meter_event_name, incidents.meter_id) as place,
    {{ quantity_to_text('incidents.quantity') }} as value,
    {{ quantity_to_text('incidents.expected_quantity') }} as bound,
    {{ days_to_text('incidents.started_on', 'incidents.ended_on') }} as days,
    coalesce(
        {{ money_to_text('incidents.severity_minor', 'incidents.currency', 'currencies.minor_unit_exponent') }},
        'not known'
    ) as amount,
    replace(incidents.cause, '_', ' ') as detail
from incidents
inner join current_days
    on incidents.account_id = current_days.account_id
inner join owners
    on
        owners.kind = 'anomaly'
        and incidents.ended_on > current_days.as_of - owners.days_open
left join currencies
    on incidents.currency = currencies.currency
left join meters
    on {{ same_keys('incidents', 'meters', ['account_id', 'meter_id']) }}
union all
select
    risks.account_id,
    'alert_churn' as template,
    'churn' as kind,
    'warning' as severity,
    'churn:' || risks.customer_id as dedupe_key,
    cast(null as {{ text_type() }}) as owner,
    risks.customer_id,
    cast(null as {{ text_type() }}) as subscription_item_id,
    cast(null as {{ text_type() }}) as meter_id,
    {{ as_text('risks.horizon_days') }} as what,
    risks.customer_id as place,
    {{ share_to_text('risks.probability') }} as value,
    '' as bound,
    '' as days,
    coalesce(
        {{ money_to_text('risks.mrr_minor', 'risks.currency', 'currencies.minor_unit_exponent') }}, 'an unknown sum'
    ) as amount,
    risks.reasons as detail
from risks
left join currencies
    on risks.currency = currencies.currency
union all
select
    account_id,
    'alert_capacity' as template,
    'capacity' as kind,
    case when share_of_limit >= 1 then 'critical' else 'warning' end as severity,
    'capacity:' || meter_event_name || ':' || period as dedupe_key,
    cast(null as {{ text_type() }}) as owner,
    cast(null as {{ text_type() }}) as customer_id,
    cast(null as {{ text_type() }}) as subscription_item_id,
    meter_id,
    period as what,
    meter_event_name as place,
    {{ quantity_to_text('expected_quantity') }} as value,
    {{ quantity_to_text('limit_quantity') }} as bound,
    {{ date_text('period_start') }} as days,
    {{ share_to_text('share_of_limit') }} as amount,
    '' as detail
from loads
