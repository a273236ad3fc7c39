{# For what nothing is held back of: up to three customers like the treated one, by what was known before it began: the
   same currency, plan, risk band and size (MRR within a factor of two), an invoice open or none, nobody for whom anything
   was carried out in the quarter before or after; the nearest by MRR. People chose whom to treat, so what they differ in
   may not be the action's doing: observational. #}
{% set matches = 3 %}
{% set apart = 90 %}
{% set alike = ['account_id', 'as_of', 'currency', 'plan', 'risk_band', 'size_band', 'is_owing'] %}
{% set customer = ['account_id', 'customer_id', 'as_of', 'risk_band'] %}
with

treatments as (select * from {{ ref('int_treatments') }} where arm = 'carried_out' and customer_id is not null),
plans as (select * from {{ ref('int_plan_history') }}),
spans as (select * from {{ ref('int_mrr_spans') }}),
invoices as (select * from {{ ref('fct_invoices') }} where status not in ('draft', 'void') and amount_due_minor > 0),
risks as (select * from {{ ref('churn_risk') }} where horizon_days = {{ churn_horizon_days() }}),

scored_days as (select distinct {{ columns_of('risks', ['account_id', 'as_of']) }} from risks),

days as (

    select
        treatments.account_id,
        treatments.started_on,
        max(scored_days.as_of) as as_of
    from treatments
    inner join scored_days
        on
            treatments.account_id = scored_days.account_id
            and treatments.started_on > scored_days.as_of
            and treatments.started_on <= scored_days.as_of + {{ apart }}
    group by treatments.account_id, treatments.started_on

),

looked_at as (select distinct {{ columns_of('days', ['account_id', 'as_of']) }} from days),

-- not the MRR of churn_risk: that is of the month's end, and knows who had left or grown by then
paying as (

    select
        {{ columns_of('risks', customer) }},
        spans.currency,
        sum(spans.mrr_minor) as mrr_minor
    from risks
    inner join looked_at on {{ same_keys('risks', 'looked_at', ['account_id', 'as_of']) }}
    inner join spans
        on
            {{ same_keys('risks', 'spans', ['account_id', 'customer_id']) }}
            and spans.valid_from < {{ end_of_day('risks.as_of') }}
            and coalesce(spans.valid_to >= {{ end_of_day('risks.as_of') }}, true)
    group by {{ columns_of('risks', customer) }}, spans.currency
    having sum(spans.mrr_minor) > 0

),

placed as (

    select
        {{ columns_of('paying', customer + ['currency', 'mrr_minor']) }},
        cast(floor(ln(paying.mrr_minor) * 1.4426950408889634) as integer) as size_band,
        max(plans.plan) as plan,
        count(invoices.customer_id) > 0 as is_owing
    from paying
    inner join plans
        on
            {{ same_keys('paying', 'plans', ['account_id', 'customer_id']) }}
            and plans.known_from < {{ end_of_day('paying.as_of') }}
            and coalesce(plans.known_to >= {{ end_of_day('paying.as_of') }}, true)
    left join invoices
        on
            {{ same_keys('paying', 'invoices', ['account_id', 'customer_id', 'currency']) }}
            and invoices.created_at < {{ end_of_day('paying.as_of') }}
            and invoices.created_at >= cast(paying.as_of - {{ apart }} as timestamp)
            and coalesce(invoices.paid_at >= {{ end_of_day('paying.as_of') }}, true)
    group by {{ columns_of('paying', customer + ['currency', 'mrr_minor']) }}

),

paired as (

    select
        {{ columns_of('treatments', ['account_id', 'kind', 'action_id', 'started_on']) }},
        {{ columns_of('others', ['customer_id', 'currency']) }},
        row_number() over (
            partition by treatments.account_id, treatments.action_id
            order by abs(others.mrr_minor - own.mrr_minor), others.customer_id
        ) as match_number
    from treatments
    inner join days on {{ same_keys('treatments', 'days', ['account_id', 'started_on']) }}
    inner join placed as own
        on
            {{ same_keys('days', 'own', ['account_id', 'as_of']) }}
            and {{ same_keys('treatments', 'own', ['customer_id', 'currency']) }}
    inner join placed as others
        on
            {{ same_keys('own', 'others', alike) }}
            and own.customer_id != others.customer_id
    left join treatments as near_by
        on
            {{ same_keys('others', 'near_by', ['account_id', 'customer_id']) }}
            and near_by.started_on between treatments.started_on - {{ apart }} and treatments.started_on + {{ apart }}
    where
        near_by.customer_id is null
        and treatments.is_first
        -- of what was recovered without its plan nobody knows the kind
        and treatments.kind is not null

)

-- whoever is like several is counted once
select
    account_id,
    kind,
    {{ month_start('min(started_on)') }} as month_start,
    customer_id,
    min(currency) as currency,
    min(started_on) as started_on
from paired
where match_number <= {{ matches }}
group by account_id, kind, customer_id
