{# The place of a raw row in its table: a row appended later has a greater one, and keeps it. #}
{% macro landing_position() -%}
    {{ adapter.dispatch('landing_position', 'meterwise')() }}
{%- endmacro %}

{% macro default__landing_position() -%}
    rowid
{%- endmacro %}
