{# At each origin, what each ISO weekday was like up to then: arrays of 7, Monday first, null where history is shorter.
   The days of a week stand in their order; the array begins with its Monday, wherever in the week that lies. #}
{% set monday -%} cast(mod(8 - {{ iso_weekday('framed.week_end - 6') }}, 7) as integer) {%- endset %}

with

origins as (select * from {{ ref('int_usage_origins') }}),
weeks as (select * from {{ ref('int_usage_weeks_known') }}),

framed as (

    select
        account_id,
        subscription_item_id,
        week_end,
        {% for day in range(1, 8) -%}
            cast(quantity_{{ day }} as {{ double_type() }}) as last_{{ day }},
            {% for count in (4, 8) -%}
                {{ share_of(
                    'sum(quantity_' ~ day ~ ') over last_' ~ count, 'count(quantity_' ~ day ~ ') over last_' ~ count, 'double'
                ) }} as mean_{{ count }}_{{ day }},
            {% endfor -%}
            {{ median_of('cast(quantity_' ~ day ~ ' as ' ~ double_type() ~ ')') }} over last_8 as median_{{ day }},
        {% endfor -%}
        is_for_origin
    from weeks
    window
        last_4 as (
            partition by account_id, subscription_item_id, known_on order by week_end
            rows between 3 preceding and current row
        ),
        last_8 as (
            partition by account_id, subscription_item_id, known_on order by week_end
            rows between 7 preceding and current row
        )

)

select
    framed.account_id,
    framed.subscription_item_id,
    origins.origin_date,
    {{ array_rotated(numbered('framed.last_', 7), monday) }} as same_weekday_last,
    {{ array_rotated(numbered('framed.mean_4_', 7), monday) }} as same_weekday_mean_4,
    {{ array_rotated(numbered('framed.mean_8_', 7), monday) }} as same_weekday_mean_8,
    {{ array_rotated(numbered('framed.median_', 7), monday) }} as same_weekday_median_8
from origins
inner join framed
    on
        origins.account_id = framed.account_id
        and origins.subscription_item_id = framed.subscription_item_id
        and origins.origin_date = framed.week_end
        and framed.is_for_origin
