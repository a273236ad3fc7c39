{# Weeks as they were known at an origin, for items and origins where that differs from today: from the first week that
   differs, and for at least the eight weeks that features read day by day, up to the origin. #}
with

origins as (select * from {{ ref('int_usage_origins') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),

applied as (

    select
        origins.account_id,
        origins.subscription_item_id,
        origins.origin_date,
        corrections.difference_quantity,
        cast(mod({{ days_from('corrections.usage_date', 'origins.origin_date') }}, 7) as integer) as days_left,
        corrections.usage_date
    from origins
    inner join corrections
        on
            origins.account_id = corrections.account_id
            and origins.subscription_item_id = corrections.subscription_item_id
            and corrections.known_from <= origins.origin_date
            and corrections.known_until > origins.origin_date
            and corrections.usage_date <= origins.origin_date

),

differences as (

    select
        account_id,
        subscription_item_id,
        origin_date,
        usage_date + days_left as week_end,
        {% for day in range(1, 8) -%}
            sum(case when days_left = {{ 7 - day }} then difference_quantity else 0 end) as difference_{{ day }},
        {% endfor -%}
        sum(difference_quantity) as difference
    from applied
    group by
        account_id,
        subscription_item_id,
        origin_date,
        usage_date + days_left

),

first_weeks as (

    select
        account_id,
        subscription_item_id,
        origin_date,
        least(min(week_end), origin_date - 49) as first_week_end
    from differences
    group by
        account_id,
        subscription_item_id,
        origin_date

),

corrected as (

    select
        weeks.account_id,
        weeks.subscription_item_id,
        first_weeks.origin_date,
        weeks.week_end,
        {% for day in range(1, 8) -%}
            weeks.quantity_{{ day }} + coalesce(differences.difference_{{ day }}, 0) as quantity_{{ day }},
        {% endfor -%}
        weeks.days,
        weeks.days_until,
        weeks.quantity + coalesce(differences.difference, 0) as quantity,
        -- of the weeks up to the origin: said right in its own row only
        {% for days in (91, 364) -%}
            weeks.quantity_{{ days }} + sum(
                case
                    when weeks.week_end > first_weeks.origin_date - {{ days }} then coalesce(differences.difference, 0)
                    else 0
                end
            ) over by_origin as quantity_{{ days }},
        {% endfor -%}
        weeks.last_used_before
    from first_weeks
    inner join weeks
        on
            first_weeks.account_id = weeks.account_id
            and first_weeks.subscription_item_id = weeks.subscription_item_id
            and first_weeks.first_week_end <= weeks.week_end
            and first_weeks.origin_date >= weeks.week_end
    left join differences
        on
            first_weeks.account_id = differences.account_id
            and first_weeks.subscription_item_id = differences.subscription_item_id
            and first_weeks.origin_date = differences.origin_date
            and weeks.week_end = differences.week_end
    window
        by_origin as (
            partition by first_weeks.account_id, first_weeks.subscription_item_id, first_weeks.origin_date
        )

)

select
    *,
    coalesce(
        {% for day in range(7, 0, -1) -%}
            case when quantity_{{ day }} > 0 then week_end - {{ 7 - day }} end{{ ',' if not loop.last }}
        {% endfor %}
    ) as last_used_on
from corrected
