{# At each origin, the 28 days that lie 364 days before the days to forecast: an array, one day ahead first. 364 is 52
   whole weeks, so that weekdays match. #}
{% set weeks_back = (51, 50, 49, 48) %}

with

origins as (select * from {{ ref('int_usage_origins') }}),
weeks as (select * from {{ ref('int_usage_weeks') }}),
corrected as (select * from {{ ref('int_usage_weeks_corrected') }}),

known as (

    select
        origins.account_id,
        origins.subscription_item_id,
        {% for back in weeks_back -%}
            {% for day in range(1, 8) -%}
                cast(
                    coalesce(corrected_{{ back }}.quantity_{{ day }}, weeks_{{ back }}.quantity_{{ day }})
                    as {{ double_type() }}
                ) as quantity_{{ back }}_{{ day }},
            {% endfor -%}
        {% endfor -%}
        origins.origin_date
    from origins
    {% for back in weeks_back %}
        left join weeks as weeks_{{ back }}
            on
                origins.account_id = weeks_{{ back }}.account_id
                and origins.subscription_item_id = weeks_{{ back }}.subscription_item_id
                and origins.origin_date - {{ 7 * back }} = weeks_{{ back }}.week_end
        left join corrected as corrected_{{ back }}
            on
                origins.account_id = corrected_{{ back }}.account_id
                and origins.subscription_item_id = corrected_{{ back }}.subscription_item_id
                and origins.origin_date = corrected_{{ back }}.origin_date
                and origins.origin_date - {{ 7 * back }} = corrected_{{ back }}.week_end
    {% endfor %}

)

{% set days_ahead = [] -%}
{% for back in weeks_back -%}
    {% for day in range(1, 8) -%}{% do days_ahead.append('quantity_' ~ back ~ '_' ~ day) %}{%- endfor %}
{%- endfor %}
select
    account_id,
    subscription_item_id,
    origin_date,
    {{ array_of(days_ahead) }} as lag_364
from known
