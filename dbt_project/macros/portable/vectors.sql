{# Arrays of doubles of a fixed length. #}

{# The expressions in `values`, a Jinja list, as one array. #}
{% macro array_of(values) -%}
    {{ adapter.dispatch('array_of', 'meterwise')(values) }}
{%- endmacro %}

{% macro default__array_of(values) -%}
    cast(list_value({{ values | join(', ') }}) as double[{{ values | length }}])
{%- endmacro %}

{# The same, begun `shift` places later (an expression from 0 to length - 1): what stood before comes last. #}
{% macro array_rotated(values, shift) -%}
    {{ adapter.dispatch('array_rotated', 'meterwise')(values, shift) }}
{%- endmacro %}

{% macro default__array_rotated(values, shift) -%}
    cast(
        list_slice(list_value({{ (values + values[:-1]) | join(', ') }}), 1 + {{ shift }}, {{ values | length }} + {{ shift }})
        as double[{{ values | length }}]
    )
{%- endmacro %}

{# A Jinja list of expressions: `prefix` with each of the numbers 1 to `count` behind it. #}
{% macro numbered(prefix, count) -%}
    {%- set names = [] -%}
    {%- for number in range(1, count + 1) -%}{%- do names.append(prefix ~ number) -%}{%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
