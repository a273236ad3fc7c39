{# The one place where JSON is parsed: `payload` becomes a typed struct in one pass.

   structure: a mapping of field to DuckDB type, nested as the payload is; fields it does not name are left alone,
   named fields that the payload lacks, or that do not fit their type, come out null. #}
{% macro unpack(payload, structure) -%}
    from_json({{ payload }}, '{{ structure | tojson }}')
{%- endmacro %}

{# The id in an expandable field: Stripe sends the id alone, or the whole object when it was asked to expand. #}
{% macro id_of(field) -%}
    case when starts_with({{ field }}, '{') then json_extract_string({{ field }}, '$.id') else {{ field }} end
{%- endmacro %}

{# Stripe's unix seconds as a UTC timestamp without zone. #}
{% macro from_epoch(seconds) -%}
    make_timestamp(1000000 * cast({{ seconds }} as bigint))
{%- endmacro %}

{# The sum of `amount` over a list of structs; 0 for an empty or absent list. #}
{% macro sum_of(amounts) -%}
    cast(coalesce(list_sum(list_transform({{ amounts }}, lambda entry: entry.amount)), 0) as bigint)
{%- endmacro %}

{# Stripe's list of expanded discounts as ids and UTC times; what was not expanded has ids and times of null. #}
{% macro discounts_of(discounts) -%}
    list_transform({{ discounts }}, lambda discount: {
        'discount_id': discount.id,
        'coupon_id': {{ id_of('discount.source.coupon') }},
        'starts_at': {{ from_epoch('discount.start') }},
        'ends_at': {{ from_epoch('discount."end"') }}
    })
{%- endmacro %}
