{# A select: one row per entry of the JSON list in the column `body` of `relation`, with the columns `keys` beside it: `entry` (JSON)
   and `position` (1 for the first). None for an empty or absent list. #}
{% macro entries_of_json(relation, body, keys) -%}
    {{ adapter.dispatch('entries_of_json', 'meterwise')(relation, body, keys) }}
{%- endmacro %}

{% macro default__entries_of_json(relation, body, keys) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        unnest(entries) as entry,
        cast(generate_subscripts(entries, 1) as integer) as position
    from (
        select
            {% for key in keys -%}
                {{ key }},
            {% endfor -%}
            from_json({{ body }}, '["JSON"]') as entries
        from {{ relation }}
    ) as lists

{% endmacro %}

{# Whether a list column holds `value`; null for an absent list. #}
{% macro is_in_list(value, entries) -%}
    {{ adapter.dispatch('is_in_list', 'meterwise')(value, entries) }}
{%- endmacro %}

{% macro default__is_in_list(value, entries) -%}
    list_contains({{ entries }}, {{ value }})
{%- endmacro %}

{# The UTC time that stands in a JSON text at `path` as unix seconds; null where nothing does. #}
{% macro time_in_json(body, path) -%}
    {{ from_microseconds('1000000 * cast(' ~ text_in_json(body, path) ~ ' as bigint)') }}
{%- endmacro %}

{# A select: one row per discount that took something off an invoice line (a relation's list `discount_amounts`), with the
   columns `keys` beside it. #}
{% macro unnest_discount_amounts(relation, keys) -%}
    {{ adapter.dispatch('unnest_discount_amounts', 'meterwise')(relation, keys) }}
{%- endmacro %}

{% macro default__unnest_discount_amounts(relation, keys) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        applied.discount as discount_id,
        applied.amount as amount_minor
    from (
        select
            {% for key in keys -%}
                {{ key }},
            {% endfor -%}
            unnest(discount_amounts) as applied
        from {{ relation }}
    ) as one_per_discount

{% endmacro %}
