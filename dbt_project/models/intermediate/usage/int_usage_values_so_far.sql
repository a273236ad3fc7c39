{# Values of a `last` meter do not add up: of the period that ran at an origin the last value up to its end that is no
   zero, as it was known then. int_usage_periods says the same of whole periods. #}
{% set keys = ['account_id', 'subscription_item_id'] %}

with

scheduled as (select * from {{ ref('int_billing_periods_scheduled') }}),
boundary_days as (select * from {{ ref('int_usage_boundary_days') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),
corrected as (select * from {{ ref('int_usage_weeks_corrected') }}),

last_values as (

    select
        {{ columns_of('scheduled', keys + ['origin_date']) }},
        weeks.week_end,
        coalesce(
            {% for day in range(7, 0, -1) -%}
                case
                    when weeks.week_end - {{ 7 - day }} > boundary_days.starts_on
                        then nullif(coalesce(corrected.quantity_{{ day }}, weeks.quantity_{{ day }}), 0)
                end
                {{- ',' if not loop.last }}
            {% endfor %}
        ) as last_quantity
    from scheduled
    inner join boundary_days
        on {{ same_keys('scheduled', 'boundary_days', keys + ['period_start']) }}
    inner join weeks
        on
            {{ same_keys('scheduled', 'weeks', keys) }}
            and boundary_days.starts_on <= weeks.week_end
            and scheduled.origin_date >= weeks.week_end
    left join corrected
        on
            {{ same_keys('scheduled', 'corrected', keys + ['origin_date']) }}
            and weeks.week_end = corrected.week_end
    where scheduled.aggregation_formula = 'last'

)

select
    {{ keys | join(', ') }},
    origin_date,
    {{ latest_by('last_quantity', 'week_end') }} as last_quantity
from last_values
group by {{ keys | join(', ') }}, origin_date
