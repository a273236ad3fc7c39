{# Which price of a product, of several that are alike, customers find in its catalogue. #}

{# What sorts the active prices of a product that are alike, the one that is in its catalogue first. #}
{% macro catalogue_order(prices, default_price_id) -%}
    case when {{ prices }}.price_id = {{ default_price_id }} then 0 else 1 end,
    {{ prices }}.created_at desc,
    {{ prices }}.price_id desc
{%- endmacro %}

{# A select: the place of each active price among those that are alike; the first is the catalogue's. #}
{% macro catalogue_places(sold, products) %}
    {%- set terms = ['account_id', 'product_id', 'currency', 'usage_type', 'meter_id', 'billing_interval',
        'interval_count'] %}
    select
        {{ sold }}.account_id,
        {{ sold }}.price_id,
        row_number() over (
            partition by {{ columns_of(sold, terms) }}
            order by {{ catalogue_order(sold, products ~ '.default_price_id') }}
        ) as place
    from {{ sold }}
    left join {{ products }} on {{ same_keys(sold, products, ['account_id', 'product_id']) }}
{% endmacro %}
