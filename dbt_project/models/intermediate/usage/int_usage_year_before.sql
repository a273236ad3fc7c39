{# At each origin, the 18 weeks that lie 364 days (52 whole weeks, so that weekdays match) before its last four and the
   fourteen that follow it: an array of 126 days, oldest first. Weeks are looked up by their place in one pass over each
   item's weeks, so that places without a week are filled first. #}
{% set weeks_back = range(55, 37, -1) | list %}
{% set keys = ['account_id', 'subscription_item_id'] %}

with

origins as (select * from {{ ref('int_usage_origins') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),
corrected as (select * from {{ ref('int_usage_weeks_corrected') }}),
as_of as (select * from {{ ref('int_as_of') }}),

recent as (

    select
        {{ columns_of('weeks', keys + ['week_end']) }},
        {{ piece_of_array(numbered('weeks.quantity_', 7)) }} as quantities
    from weeks
    inner join as_of
        on
            weeks.account_id = as_of.account_id
            and weeks.week_end >= as_of.as_of - 7 * {{ 52 + weeks_back[0] }}

),

broken as (

    select
        {{ keys | join(', ') }},
        min(week_end) as first_week_end,
        max(week_end) as last_week_end
    from recent
    group by {{ keys | join(', ') }}
    having 7 * count(*) < {{ days_from('min(week_end)', 'max(week_end)') }} + 7

),

days_of_broken as (

    select
        {{ keys | join(', ') }},
        first_week_end,
        {{ days_between('first_week_end', 'last_week_end') }} as week_end
    from broken

),

every_week as (

    select * from recent
    union all
    select
        {{ columns_of('days_of_broken', keys + ['week_end']) }},
        recent.quantities
    from days_of_broken
    left join recent
        on {{ same_keys('days_of_broken', 'recent', keys + ['week_end']) }}
    where
        recent.week_end is null
        and mod({{ days_from('days_of_broken.first_week_end', 'days_of_broken.week_end') }}, 7) = 0

),

looked_back as (

    select
        {{ keys | join(', ') }},
        {% for back in weeks_back -%}
            lag(quantities, {{ back }}) over by_week as quantities_{{ back }},
        {% endfor -%}
        week_end
    from every_week
    window by_week as (partition by {{ keys | join(', ') }} order by week_end)

),

-- weeks of a year ago are hardly ever known otherwise
known as (

    select
        {{ keys | join(', ') }},
        {% for back in weeks_back -%}
            {{ latest_by(
                'case when week_end = origin_date - ' ~ 7 * back ~ ' then ' ~ piece_of_array(numbered('quantity_', 7)) ~ ' end',
                'week_end'
            ) }} as quantities_{{ back }},
        {% endfor -%}
        origin_date
    from corrected
    where week_end <= origin_date - {{ 7 * weeks_back[-1] }}
    group by {{ keys | join(', ') }}, origin_date

)

{% set pieces = [] -%}
{% for back in weeks_back -%}
    {% do pieces.append('coalesce(known.quantities_' ~ back ~ ', looked_back.quantities_' ~ back ~ ')') %}
{%- endfor %}
select
    {{ columns_of('origins', keys + ['origin_date']) }},
    {{ array_of_pieces(pieces, 7) }} as year_before
from origins
left join looked_back
    on
        {{ same_keys('origins', 'looked_back', keys) }}
        and origins.origin_date = looked_back.week_end
left join known
    on {{ same_keys('origins', 'known', keys + ['origin_date']) }}
