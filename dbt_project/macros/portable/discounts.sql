{# A select: one row per discount of a relation's list `discounts`, with the columns `keys` beside it. #}
{% macro unnest_discounts(relation, keys) -%}
    {{ adapter.dispatch('unnest_discounts', 'meterwise')(relation, keys) }}
{%- endmacro %}

{% macro default__unnest_discounts(relation, keys) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        discount.discount_id,
        discount.coupon_id,
        discount.starts_at as started_at,
        discount.ends_at as ended_at
    from (
        select
            {% for key in keys -%}
                {{ key }},
            {% endfor -%}
            unnest(discounts) as discount
        from {{ relation }}
    ) as one_per_discount
    where discount.discount_id is not null

{% endmacro %}
