{# The first moment after a UTC day: what happened before it is known at the day's end. No model asks for the clock;
   the day itself comes from int_as_of, which alone reads var('as_of'). #}
{% macro end_of_day(day) -%}
    cast({{ day }} + 1 as timestamp)
{%- endmacro %}

{# An event's time as it was known: null until it has happened. `known_until` is exclusive. #}
{% macro if_known(event_at, known_until) -%}
    case when {{ event_at }} < {{ known_until }} then {{ event_at }} end
{%- endmacro %}

{# The day asked for by var('as_of') as a SQL literal, or null. #}
{% macro as_of_asked() -%}
    {%- if var('as_of') is none -%} null {%- else -%} '{{ var("as_of") }}' {%- endif -%}
{%- endmacro %}
