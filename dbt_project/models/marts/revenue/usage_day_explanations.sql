{% set key = ['account_id', 'subscription_item_id', 'usage_date'] %}
{% set amounts = {
    'cost': 'days.cost_minor',
    'usual_cost': 'days.usual_cost_minor',
    'extra': 'days.cost_minor - days.usual_cost_minor',
    'excess': 'incidents.excess_amount_minor',
} %}
{% set slots = {
    'day': date_text('in_words.usage_date'),
    'name': 'in_words.name',
    'quantity': exact_quantity_to_text('in_words.quantity'),
    'usual': exact_quantity_to_text('in_words.usual_quantity'),
    'cost': 'in_words.cost',
    'usual_cost': 'in_words.usual_cost',
    'incident': 'in_words.incident_kind',
    'days': days_to_text('in_words.incident_from', 'in_words.incident_to'),
    'incident_quantity': exact_quantity_to_text('in_words.incident_quantity'),
    'expected': exact_quantity_to_text('in_words.incident_expected_quantity'),
    'excess': 'in_words.excess',
    'cause': 'in_words.cause',
} %}
with

days as (select * from {{ ref('int_usage_days_compared') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
anomalies as (select * from {{ ref('usage_anomalies') }}),
causes as (select * from {{ ref('anomaly_causes') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

-- a later incident may touch the last day of an earlier one
incidents as (

    select
        {{ columns_of('days', key) }},
        {{ columns_of('anomalies', [
            'anomaly_id', 'kind', 'cause', 'started_on', 'ended_on', 'quantity', 'expected_quantity', 'excess_amount_minor',
            'is_projected',
        ]) }},
        row_number() over (
            partition by {{ columns_of('days', key) }}
            order by anomalies.started_on desc, anomalies.anomaly_id asc
        ) as place
    from days
    inner join anomalies
        on
            {{ same_keys('days', 'anomalies', ['account_id', 'subscription_item_id']) }}
            and days.usage_date between anomalies.started_on and anomalies.ended_on

),

in_words as (

    select
        days.*,
        coalesce(nullif({{ safe_text('meters.meter_name') }}, ''), days.meter_id, days.subscription_item_id) as name,
        incidents.anomaly_id,
        incidents.kind as incident_kind,
        'usage_day_incident' || case when incidents.is_projected then '_open' else '' end as incident_template,
        incidents.started_on as incident_from,
        incidents.ended_on as incident_to,
        incidents.quantity as incident_quantity,
        round(incidents.expected_quantity) as incident_expected_quantity,
        incidents.excess_amount_minor as incident_excess_minor,
        coalesce(causes.meaning, incidents.cause) as cause,
        {{ amounts_to_text(amounts, 'days.currency', 'currencies.minor_unit_exponent') }},
        'usage_day_' || case
            when days.quantity = 0 and days.usual_quantity > 0 then 'none'
            when days.quantity = 0 then 'quiet'
            when days.usual_quantity is null then 'first'
            when 4 * days.quantity > 5 * days.usual_quantity then 'more'
            when 4 * days.quantity < 3 * days.usual_quantity then 'less'
            else 'usual'
        end as kind,
        'usage_day_' || case
            when days.cost_minor is null then 'uncosted'
            when days.cost_minor = 0 and coalesce(days.usual_cost_minor, 0) = 0 then 'free'
            when days.usual_cost_minor is null then 'cost_alone'
            else 'cost'
        end as cost_kind
    from days
    left join incidents
        on {{ same_keys('days', 'incidents', key) }} and incidents.place = 1
    left join causes
        on incidents.cause = causes.cause
    left join meters
        on {{ same_keys('days', 'meters', ['account_id', 'meter_id']) }}
    left join currencies
        on days.currency = currencies.currency

)

select
    {{ columns_of('in_words', key + ['customer_id', 'meter_id', 'name', 'currency', 'quantity', 'usual_quantity']) }},
    {{ columns_of('in_words', ['period_start', 'period_end', 'is_open', 'cost_minor', 'usual_cost_minor']) }},
    in_words.cost_minor - in_words.usual_cost_minor as extra_minor,
    case when in_words.cost_minor is not null then in_words.cost end as cost_text,
    case when in_words.cost_minor - in_words.usual_cost_minor is not null then in_words.extra end as extra_text,
    {{ columns_of('in_words', ['anomaly_id', 'incident_kind', 'cause', 'incident_from', 'incident_to']) }},
    in_words.incident_quantity,
    cast(in_words.incident_expected_quantity as decimal(18, 6)) as incident_expected_quantity,
    in_words.incident_excess_minor,
    case when in_words.incident_excess_minor is not null then in_words.excess end as incident_excess_text,
    {{ fill_template('what.body', slots) }} || ' ' || {{ fill_template('costs.body', slots) }}
    || {{ or_nothing(fill_template('incident.body', slots), ' ') }} as said
from in_words
inner join templates as what
    on in_words.kind = what.kind
inner join templates as costs
    on in_words.cost_kind = costs.kind
left join templates as incident
    on in_words.anomaly_id is not null and in_words.incident_template = incident.kind
