{# An aggregate: `measure` as a double array of `length`, each value at its `position` (1-based), null where none is. #}
{% macro array_by_position(measure, position, length) -%}
    cast(
        list_value(
            {%- for place in range(1, length + 1) %}
            max(case when {{ position }} = {{ place }} then {{ measure }} end){{ ',' if not loop.last }}
            {%- endfor %}
        ) as double[{{ length }}]
    )
{%- endmacro %}
