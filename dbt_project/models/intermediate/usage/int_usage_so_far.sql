{# What the period that ran at an origin had used by its end, as it was known then. Today its own summary says it; of a
   past origin days are added up, and the day that the period begins on is split as int_usage_boundary_days does. #}
{% set keys = ['account_id', 'subscription_item_id'] %}

with

scheduled as (select * from {{ ref('int_billing_periods_scheduled') }}),
boundary_days as (select * from {{ ref('int_usage_boundary_days') }}),
known as (select * from {{ ref('int_usage_boundaries_known') }}),
usage_periods as (select * from {{ ref('int_usage_periods') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),
latest_values as (select * from {{ ref('int_usage_values_so_far') }}),

placed as (

    select
        scheduled.*,
        boundary_days.starts_on,
        {{ columns_of('boundary_days', [
            'day_quantity', 'earlier_periods', 'earlier_measured', 'earlier_quantity', 'earlier_days_quantity',
        ]) }},
        boundary_days.starts_on
        + cast(mod({{ days_from('boundary_days.starts_on', 'scheduled.origin_date') }}, 7) as integer) as first_week_end
    from scheduled
    inner join boundary_days
        on {{ same_keys('scheduled', 'boundary_days', keys + ['period_start']) }}

),

summed as (

    select
        placed.*,
        -- sums since the item began, up to the origin and up to the first day
        coalesce(last_weeks.quantity_before + last_weeks.quantity, 0)
        - coalesce(first_weeks.quantity_before, 0)
        {% for day in range(1, 8) -%}
            - case
                when first_weeks.week_end - {{ 7 - day }} <= placed.starts_on
                    then coalesce(first_weeks.quantity_{{ day }}, 0)
                else 0
            end
        {% endfor -%}
        + coalesce(known.later_difference, 0) as later_quantity,
        case
            when placed.starts_on <= placed.origin_date
                then placed.day_quantity + coalesce(known.first_day_difference, 0)
            else 0
        end as known_day_quantity,
        placed.earlier_days_quantity - placed.earlier_quantity + coalesce(known.earlier_difference, 0) as left_quantity,
        placed.earlier_measured < placed.earlier_periods or coalesce(known.has_unseen, false) as is_unknown,
        latest_values.last_quantity,
        usage_periods.quantity as period_quantity
    from placed
    left join weeks as last_weeks
        on {{ same_keys('placed', 'last_weeks', keys) }} and placed.origin_date = last_weeks.week_end
    left join weeks as first_weeks
        on {{ same_keys('placed', 'first_weeks', keys) }} and placed.first_week_end = first_weeks.week_end
    left join known
        on {{ same_keys('placed', 'known', keys + ['origin_date']) }}
    left join latest_values
        on {{ same_keys('placed', 'latest_values', keys + ['origin_date']) }}
    left join usage_periods
        on
            {{ same_keys('placed', 'usage_periods', keys + ['period_start']) }}
            and placed.is_scoring
            and placed.used_until = {{ end_of_day('placed.origin_date') }}

),

shared as (

    select
        *,
        case
            when period_start = cast(starts_on as timestamp) or earlier_periods = 0 then known_day_quantity
            when is_unknown or aggregation_formula = 'last' then 0
            else greatest(least(left_quantity + known_day_quantity, known_day_quantity), 0)
        end as first_day_quantity
    from summed

)

select
    {{ keys | join(', ') }},
    origin_date,
    cast(coalesce(
        period_quantity,
        case
            when aggregation_formula = 'last' then coalesce(last_quantity, first_day_quantity)
            else first_day_quantity + later_quantity
        end
    ) as {{ double_type() }}) as quantity_so_far
from shared
