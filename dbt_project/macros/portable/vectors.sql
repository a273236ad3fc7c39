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

{# The same of no fixed length: to look it up is cheaper, and arrays are made of such pieces. #}
{% macro piece_of_array(values) -%}
    {{ adapter.dispatch('piece_of_array', 'meterwise')(values) }}
{%- endmacro %}

{% macro default__piece_of_array(values) -%}
    cast(list_value({{ values | join(', ') }}) as double[])
{%- endmacro %}

{# One array of pieces of `size` values each (a Jinja list of expressions); an absent piece is as many nulls. #}
{% macro array_of_pieces(pieces, size) -%}
    {{ adapter.dispatch('array_of_pieces', 'meterwise')(pieces, size) }}
{%- endmacro %}

{% macro default__array_of_pieces(pieces, size) -%}
    {%- set absent = 'cast([' ~ (['null'] * size) | join(', ') ~ '] as double[])' -%}
    cast(flatten(list_value(
        {%- for piece in pieces -%}
            coalesce({{ piece }}, {{ absent }}){{ ', ' if not loop.last }}
        {%- endfor -%}
    )) as double[{{ size * pieces | length }}])
{%- endmacro %}

{# A Jinja list of expressions: `prefix` with each of the numbers 1 to `count` behind it. #}
{% macro numbered(prefix, count) -%}
    {%- set names = [] -%}
    {%- for number in range(1, count + 1) -%}{%- do names.append(prefix ~ number) -%}{%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
