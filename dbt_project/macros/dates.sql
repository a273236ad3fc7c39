{# In a select list: one row per day from `first_day` to `last_day`, both included. #}
{% macro days_between(first_day, last_day) -%}
    cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval 1 day)) as date)
{%- endmacro %}

{# Monday is 1, Sunday 7. #}
{% macro iso_weekday(day) -%}
    isodow({{ day }})
{%- endmacro %}

{# The first day of the month, and its last one. #}
{% macro month_start(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{% macro month_end(day) -%}
    last_day({{ day }})
{%- endmacro %}
