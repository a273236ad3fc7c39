{# For what nothing is held back of: up to three customers like the treated one, by what was known before it began: the
   same currency, plan, risk band and size (MRR within a factor of two), nobody for whom anything was carried out in
   the quarter before or after; the nearest by MRR. People chose whom to treat, so what they differ in may not be the
   action's doing: observational. #}
{% set matches = 3 %}
{% set apart = 90 %}
with

treatments as (select * from {{ ref('int_treatments') }} where arm = 'carried_out' and customer_id is not null),
plans as (select * from {{ ref('int_plan_history') }}),
risks as (
    select * from {{ ref('churn_risk') }}
    where
        horizon_days = {{ churn_horizon_days() }}
        and mrr_minor > 0
),

first_days as (select distinct {{ columns_of('treatments', ['account_id', 'started_on']) }} from treatments),
scored_days as (select distinct {{ columns_of('risks', ['account_id', 'as_of']) }} from risks),

days as (

    select
        first_days.account_id,
        first_days.started_on,
        max(scored_days.as_of) as as_of
    from first_days
    inner join scored_days
        on
            first_days.account_id = scored_days.account_id
            and first_days.started_on > scored_days.as_of
            and first_days.started_on <= scored_days.as_of + {{ apart }}
    group by first_days.account_id, first_days.started_on

),

looked_at as (select distinct {{ columns_of('days', ['account_id', 'as_of']) }} from days),

placed as (

    select
        risks.account_id,
        risks.customer_id,
        risks.as_of,
        risks.currency,
        risks.risk_band,
        risks.mrr_minor,
        cast(floor(ln(risks.mrr_minor) * 1.4426950408889634) as integer) as size_band,
        max(plans.plan) as plan
    from risks
    inner join looked_at on {{ same_keys('risks', 'looked_at', ['account_id', 'as_of']) }}
    inner join plans
        on
            risks.account_id = plans.account_id
            and risks.customer_id = plans.customer_id
            and plans.known_from < {{ end_of_day('risks.as_of') }}
            and coalesce(plans.known_to >= {{ end_of_day('risks.as_of') }}, true)
    group by risks.account_id, risks.customer_id, risks.as_of, risks.currency, risks.risk_band, risks.mrr_minor

),

paired as (

    select
        treatments.account_id,
        treatments.kind,
        treatments.action_id,
        treatments.started_on,
        others.customer_id,
        others.currency,
        row_number() over (
            partition by treatments.account_id, treatments.action_id
            order by abs(others.mrr_minor - own.mrr_minor), others.customer_id
        ) as match_number
    from treatments
    inner join days on {{ same_keys('treatments', 'days', ['account_id', 'started_on']) }}
    inner join placed as own
        on
            days.account_id = own.account_id
            and days.as_of = own.as_of
            and treatments.customer_id = own.customer_id
    inner join placed as others
        on
            {{ same_keys('own', 'others', ['account_id', 'as_of', 'currency', 'plan', 'risk_band', 'size_band']) }}
            and own.customer_id != others.customer_id
    left join treatments as near_by
        on
            others.account_id = near_by.account_id
            and others.customer_id = near_by.customer_id
            and near_by.started_on between treatments.started_on - {{ apart }} and treatments.started_on + {{ apart }}
    where near_by.customer_id is null

)

-- whoever is like several is counted once
select
    account_id,
    kind,
    {{ month_start('started_on') }} as month_start,
    customer_id,
    min(currency) as currency,
    min(started_on) as started_on
from paired
where match_number <= {{ matches }}
group by account_id, kind, {{ month_start('started_on') }}, customer_id
