{# Days, months and seconds, as each adapter spells them. Days are dates, times are UTC timestamps without zone. #}

{# In a select list: one row per day from `first_day` to `last_day`, both included; none when the last is before the first. #}
{% macro days_between(first_day, last_day) -%}
    {{ adapter.dispatch('days_between', 'meterwise')(first_day, last_day) }}
{%- endmacro %}

{% macro default__days_between(first_day, last_day) -%}
    cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval '1 day')) as date)
{%- endmacro %}

{# In a select list: one row per whole number from `first` to `last`, both included. #}
{% macro numbers_between(first, last) -%}
    {{ adapter.dispatch('numbers_between', 'meterwise')(first, last) }}
{%- endmacro %}

{% macro default__numbers_between(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }})) as integer)
{%- endmacro %}

{# Days from one date to another: 1 from today to tomorrow. #}
{% macro days_from(first_day, last_day) -%}
    {{ adapter.dispatch('days_from', 'meterwise')(first_day, last_day) }}
{%- endmacro %}

{% macro default__days_from(first_day, last_day) -%}
    date_diff('day', {{ first_day }}, {{ last_day }})
{%- endmacro %}

{# Month borders passed from one date to another. #}
{% macro months_from(first_day, last_day) -%}
    {{ adapter.dispatch('months_from', 'meterwise')(first_day, last_day) }}
{%- endmacro %}

{% macro default__months_from(first_day, last_day) -%}
    date_diff('month', {{ first_day }}, {{ last_day }})
{%- endmacro %}

{# The same day some months on (a column or a number; may be negative), or the last of its month. #}
{% macro add_months(day, months) -%}
    {{ adapter.dispatch('add_months', 'meterwise')(day, months) }}
{%- endmacro %}

{% macro default__add_months(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{# Monday is 1, Sunday 7. #}
{% macro iso_weekday(day) -%}
    {{ adapter.dispatch('iso_weekday', 'meterwise')(day) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%}
    isodow({{ day }})
{%- endmacro %}

{# The first day of the month, and its last one. #}
{% macro month_start(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{% macro month_end(day) -%}
    {{ adapter.dispatch('month_end', 'meterwise')(day) }}
{%- endmacro %}

{% macro default__month_end(day) -%}
    last_day({{ day }})
{%- endmacro %}

{# Unix seconds of a time, whole ones. #}
{% macro seconds_of(moment) -%}
    {{ adapter.dispatch('seconds_of', 'meterwise')(moment) }}
{%- endmacro %}

{% macro default__seconds_of(moment) -%}
    cast(epoch({{ moment }}) as bigint)
{%- endmacro %}

{# A UTC timestamp from microseconds since 1970. #}
{% macro from_microseconds(microseconds) -%}
    {{ adapter.dispatch('from_microseconds', 'meterwise')(microseconds) }}
{%- endmacro %}

{% macro default__from_microseconds(microseconds) -%}
    make_timestamp(cast({{ microseconds }} as bigint))
{%- endmacro %}

{# A day at the time of day of `moment`. #}
{% macro at_time_of(day, moment) -%}
    cast({{ day }} as timestamp) + ({{ moment }} - date_trunc('day', {{ moment }}))
{%- endmacro %}
