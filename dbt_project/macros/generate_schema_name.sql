{# Schemas are literal: the names in dbt_project.yml are the names in the warehouse, on every target. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
