{# The place of a raw row in its table (of one relation of a query): a row appended later has a greater one, and keeps it. #}
{% macro landing_position(relation=none) -%}
    {{ adapter.dispatch('landing_position', 'meterwise')(relation) }}
{%- endmacro %}

{% macro default__landing_position(relation) -%}
    {{ relation ~ '.' if relation }}rowid
{%- endmacro %}
