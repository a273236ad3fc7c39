{# Whose course is looked at, and how far: the treated, those held back, and those like the treated. #}
{% set subject = ['account_id', 'customer_id', 'currency', 'started_on'] %}
with

-- what was recovered without its plan has neither kind nor currency
treatments as (select * from {{ ref('int_treatments') }} where customer_id is not null and currency is not null),
matches as (select * from {{ ref('int_treatment_matches') }}),
current_days as (select * from {{ ref('int_as_of') }}),

horizons as (

    {% for days in [0, 30, 90] -%}
        select cast({{ days }} as integer) as horizon_days
        {{- ' union all' if not loop.last }}
    {% endfor %}

),

subjects as (

    select {{ columns_of('treatments', subject) }} from treatments
    union
    select {{ columns_of('matches', subject) }} from matches

),

opened as (

    select
        subjects.*,
        horizons.horizon_days,
        subjects.started_on + horizons.horizon_days as ends_on
    from subjects
    cross join horizons
    inner join current_days
        on
            subjects.account_id = current_days.account_id
            -- what is not over is not told
            and subjects.started_on + horizons.horizon_days <= current_days.as_of + 1

)

select * from opened
