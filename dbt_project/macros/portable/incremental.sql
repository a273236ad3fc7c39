{# How an incremental model puts its new rows in the place of the old ones of the same unique_key. On Spark it is
   insert_overwrite by partition, so an incremental model selects complete keys and complete days. #}
{% macro incremental_strategy() -%}
    {{ return(adapter.dispatch('incremental_strategy', 'meterwise')()) }}
{%- endmacro %}

{% macro default__incremental_strategy() -%}
    {{ return('delete+insert') }}
{%- endmacro %}
