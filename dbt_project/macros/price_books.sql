{# The rows of price_book_tiers, typed: null where a text does not fit, which is then a fault. Names are compared without
   regard to case; `row_text` is the row as it stands in the file, so that it can be looked for there. #}
{% macro price_book_rows() %}
    {%- set columns = [
        'book', 'price_id', 'plan', 'product', 'meter_event_name', 'currency', 'tiers_mode', 'above', 'up_to',
        'unit_amount_decimal', 'flat_amount_decimal', 'package_size', 'package_rounding', 'minimum_amount_minor',
    ] %}

    select
        {{ book_name('book') }} as book,
        price_id,
        lower(plan) as plan,
        lower(product) as product,
        meter_event_name,
        lower(currency) as currency,
        {{ safe_text(
            "concat_ws(',', coalesce(" ~ columns | join(", ''), coalesce(") ~ ", ''))"
        ) }} as row_text,
        concat_ws(
            '|', coalesce(price_id, ''), lower(coalesce(plan, '')), lower(coalesce(product, '')),
            coalesce(meter_event_name, ''), lower(coalesce(currency, ''))
        ) as price_name,
        lower(coalesce(tiers_mode, case when package_size is null then 'per_unit' else 'package' end)) as tiers_mode,
        lower(coalesce(package_rounding, 'up')) as package_rounding,
        coalesce(lower(tiers_mode), 'per_unit') in ('graduated', 'volume', 'per_unit', 'package')
        and lower(coalesce(package_rounding, 'up')) in ('up', 'down') as has_mode,
        coalesce(lower(tiers_mode), 'per_unit') in ('per_unit', 'package') as is_untiered,
        lower(coalesce(up_to, 'inf')) = 'inf' as is_last,
        above is not null as has_above,
        {{ cast_or_null('above', 'decimal(18, 6)') }} as above,
        {{ cast_or_null("case when lower(up_to) != 'inf' then up_to end", 'decimal(18, 6)') }} as up_to,
        case
            when unit_amount_decimal is null and flat_amount_decimal is not null then 0
            else {{ cast_or_null('unit_amount_decimal', 'decimal(24, 12)') }}
        end as unit_amount_decimal,
        {{ cast_or_null("coalesce(flat_amount_decimal, '0')", 'decimal(24, 12)') }} as flat_amount_decimal,
        {{ cast_or_null('package_size', 'bigint') }} as package_size,
        {{ cast_or_null('minimum_amount_minor', 'bigint') }} as minimum_amount_minor,
        unit_amount_decimal is null and flat_amount_decimal is null as has_no_price,
        coalesce(package_size, package_rounding) is not null as has_package,
        coalesce(left(unit_amount_decimal, 1) = '-', false)
        or coalesce(left(flat_amount_decimal, 1) = '-', false)
        or coalesce(left(minimum_amount_minor, 1) = '-', false)
        or coalesce(left(above, 1) = '-', false)
        or coalesce({{ cast_or_null('package_size', 'bigint') }} <= 0, false)
        or coalesce({{ cast_or_null('up_to', 'decimal(18, 6)') }} <= 0, false) as is_negative,
        -- what every row of one price says alike
        concat_ws(
            '|', lower(tiers_mode), lower(package_rounding), coalesce(nullif(minimum_amount_minor, '0'), 'none')
        ) as terms,
        -- every text that should be a number is one
        {% for column, data_type in {
            'above': 'decimal(18, 6)',
            'unit_amount_decimal': 'decimal(24, 12)',
            'flat_amount_decimal': 'decimal(24, 12)',
            'package_size': 'decimal(18, 0)',
            'minimum_amount_minor': 'decimal(18, 0)',
        }.items() -%}
            ({{ column }} is null or {{ cast_or_null(column, data_type) }} = {{ cast_or_null(column, 'decimal(38, 14)') }})
            and
        {% endfor -%}
        (lower(coalesce(up_to, 'inf')) = 'inf' or {{ cast_or_null('up_to', 'decimal(18, 6)') }} is not null) as has_numbers
    from (
        select
            {% for column in columns -%}
                nullif(trim({{ column }}), '') as {{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ ref('price_book_tiers') }}
        -- an empty line is no row
        where concat_ws('', {{ columns | join(', ') }}) != ''
    ) as trimmed

{% endmacro %}
