{# The months over which a kind's value is counted: the column of action_kinds, or the var value_months for all kinds, so
   that what was said can be measured over as many months as there are. #}
{% macro value_months(column) -%}
    {%- if var('value_months') is none -%} {{ column }} {%- else -%} cast({{ var('value_months') }} as integer) {%- endif -%}
{%- endmacro %}
