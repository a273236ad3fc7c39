{{ config(tags=['after_ml']) }}
{% set parts = ('usage', 'payment', 'engagement', 'contract') %}

with

health as (select * from {{ ref('customer_health') }}),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),
customers as (select * from {{ ref('dim_customers') }}),
template as (select * from {{ ref('message_templates') }} where locale = 'en' and kind = 'health_part'),

ranked as (

    select
        *,
        row_number() over (partition by account_id, customer_id order by as_of_date desc) as newest_first
    from health

),

compared as (

    select
        ranked.*,
        {% for part in parts -%}
            before.{{ part }}_score as previous_{{ part }}_score,
            -- what is not known at both ends has not moved
            coalesce(abs(ranked.{{ part }}_score - before.{{ part }}_score) * ranked.{{ part }}_weight, 0)
                as {{ part }}_moved,
        {% endfor -%}
        before.as_of_date as previous_as_of,
        before.health_score as previous_health_score
    from ranked
    left join ranked as before
        on {{ same_keys('ranked', 'before', ['account_id', 'customer_id']) }} and before.newest_first = 2
    where
        ranked.newest_first = 1
        and ranked.is_scoring

),

moved as (

    select
        *,
        greatest({{ parts | join('_moved, ') }}_moved) as most_moved
    from compared

),

-- of several that moved as much the first
named as (

    select
        *,
        case
            when most_moved = 0 then null
            {% for part in parts -%}
                when most_moved = {{ part }}_moved then '{{ part }}'
            {% endfor %}
        end as changed_part,
        case
            {% for part in parts -%}
                when most_moved = {{ part }}_moved then previous_{{ part }}_score
            {% endfor %}
        end as changed_from,
        case
            {% for part in parts -%}
                when most_moved = {{ part }}_moved then {{ part }}_score
            {% endfor %}
        end as changed_to
    from moved

)

select
    named.account_id,
    named.customer_id,
    named.as_of_date as as_of,
    named.state,
    named.health_score,
    case when named.health_score >= 75 then 'healthy' when named.health_score >= 50 then 'watch' else 'poor' end
        as health_band,
    {% for part in parts -%}
        named.{{ part }}_score,
    {% endfor -%}
    named.previous_as_of,
    named.previous_health_score,
    named.health_score - named.previous_health_score as health_change,
    named.changed_part,
    case
        when named.changed_part is not null
            then {{ fill_template('template.body', {
                'part': "coalesce(named.changed_part, '')",
                'before': "coalesce(" ~ as_text('named.changed_from') ~ ", '')",
                'now': "coalesce(" ~ as_text('named.changed_to') ~ ", '')",
            }) }}
    end as changed_text,
    risks.probability as churn_probability,
    risks.risk_band,
    customers.currency,
    coalesce(risks.mrr_minor, 0) as mrr_minor
from named
cross join template
inner join customers
    on {{ same_keys('named', 'customers', ['account_id', 'customer_id']) }}
left join risks
    on {{ same_keys('named', 'risks', ['account_id', 'customer_id']) }}
