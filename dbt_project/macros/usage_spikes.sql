{# Fixed, not fitted: a day is a spike when it lies `threshold` robust deviations above the median of the same weekdays,
   none of which is taken smaller than `floor_share` of it, so that a very steady item does not cry wolf; once so many of
   the last eight same weekdays came before. #}
{% macro spike_rule() -%}
    {{ return({'threshold': 6, 'floor_share': 0.25, 'weekdays_needed': 4}) }}
{%- endmacro %}
