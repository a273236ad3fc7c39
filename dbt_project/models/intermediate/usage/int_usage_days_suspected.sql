{# Days that may be spikes: medians are dear, so that only days are judged that are far above half of the same weekdays
   before them, in wider numbers, lest they overflow. Suspected days near each other make a stretch. #}
{% set rule = spike_rule() -%}
{% set far_above = 1 + rule.threshold * rule.floor_share -%}
{% set far_below = [[], [], [], [], [], [], []] -%}
{% for day in range(1, 8) -%}
    {% for back in range(1, 9) -%}
        {% set earlier = 'cast(lag(quantity_' ~ day ~ ', ' ~ back ~ ') over by_week as decimal(28, 6))' -%}
        {% set is_below = earlier ~ ' * ' ~ far_above ~ ' <= quantity_' ~ day -%}
        {% do far_below[day - 1].append('case when ' ~ is_below ~ ' then 1 else 0 end') -%}
    {%- endfor %}
{%- endfor %}

with

weeks as (select * from {{ ref('int_usage_weeks') }}),

-- a week's days beside the same days of the eight weeks before
compared as (

    select
        account_id,
        subscription_item_id,
        {% for day in range(1, 8) -%}
            count(quantity_{{ day }}) over last_8 as seen_{{ day }},
            {{ far_below[day - 1] | join(' + ') }} as below_{{ day }},
        {% endfor -%}
        week_end
    from weeks
    window
        by_week as (partition by account_id, subscription_item_id order by week_end),
        last_8 as (
            partition by account_id, subscription_item_id order by week_end
            rows between 8 preceding and 1 preceding
        )

),

suspected as (

    {% for day in range(1, 8) -%}
        select
            account_id,
            subscription_item_id,
            week_end - {{ 7 - day }} as suspected_on
        from compared
        where
            seen_{{ day }} >= {{ rule.weekdays_needed }}
            and 2 * below_{{ day }} >= seen_{{ day }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

followed as (

    select
        *,
        lag(suspected_on) over (partition by account_id, subscription_item_id order by suspected_on) as suspected_before
    from suspected

)

select
    account_id,
    subscription_item_id,
    suspected_on,
    cast(
        sum(case when {{ days_from('suspected_before', 'suspected_on') }} <= 112 then 0 else 1 end) over (
            partition by account_id, subscription_item_id order by suspected_on
        ) as bigint
    ) as stretch
from followed
