{# JSON written and read. Keys are written in the order given; give them in alphabetical order for canonical JSON. #}

{# A JSON value made of `pairs`, a mapping of key to SQL expression. #}
{% macro as_json(pairs) -%}
    {{ adapter.dispatch('as_json', 'meterwise')(pairs) }}
{%- endmacro %}

{% macro default__as_json(pairs) -%}
    json_object(
        {%- for key, expression in pairs.items() %}
        '{{ key }}', {{ expression }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# The same as text. #}
{% macro as_json_text(pairs) -%}
    cast({{ as_json(pairs) }} as {{ text_type() }})
{%- endmacro %}

{# A JSON list of one value. #}
{% macro json_of_one(value) -%}
    {{ adapter.dispatch('json_of_one', 'meterwise')(value) }}
{%- endmacro %}

{% macro default__json_of_one(value) -%}
    json_array({{ value }})
{%- endmacro %}

{# A JSON list of these values. #}
{% macro json_of_values(entries) -%}
    {{ adapter.dispatch('json_of_values', 'meterwise')(entries) }}
{%- endmacro %}

{% macro default__json_of_values(entries) -%}
    json_array({{ entries | join(', ') }})
{%- endmacro %}

{# An aggregate: the JSON list of `value`, in the order of `orders`. #}
{% macro json_of_rows(value, orders) -%}
    {{ adapter.dispatch('json_of_rows', 'meterwise')(value, orders) }}
{%- endmacro %}

{% macro default__json_of_rows(value, orders) -%}
    to_json(list({{ value }} order by {{ orders }}))
{%- endmacro %}

{# What stands in a JSON text at `path` ($.a.b), as text, or as JSON. Null where nothing does. #}
{% macro text_in_json(body, path) -%}
    {{ adapter.dispatch('text_in_json', 'meterwise')(body, path) }}
{%- endmacro %}

{% macro default__text_in_json(body, path) -%}
    json_extract_string({{ body }}, '{{ path }}')
{%- endmacro %}

{% macro part_of_json(body, path) -%}
    {{ adapter.dispatch('part_of_json', 'meterwise')(body, path) }}
{%- endmacro %}

{% macro default__part_of_json(body, path) -%}
    json_extract({{ body }}, '{{ path }}')
{%- endmacro %}

{# A select: one row per entry of the JSON list in the column `body` of `relation`, with the columns `keys` beside it and
   one of each of `fields` (name to type); none for an empty or absent list. #}
{% macro rows_of_json(relation, body, keys, fields) -%}
    {{ adapter.dispatch('rows_of_json', 'meterwise')(relation, body, keys, fields) }}
{%- endmacro %}

{% macro default__rows_of_json(relation, body, keys, fields) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        {% for field in fields -%}
            entry.{{ field }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            {% for key in keys -%}
                {{ key }},
            {% endfor -%}
            unnest(from_json({{ body }}, '{{ [fields] | tojson }}')) as entry
        from {{ relation }}
    ) as one_per_entry

{% endmacro %}
