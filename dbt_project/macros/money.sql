{# Integer division, exact halves away from zero. Money is divided here and nowhere else; both sides are whole numbers
   and the result is a bigint. The intermediate is a hugeint, so that no bigint amount overflows it. #}
{% macro divide_half_up(numerator, denominator) -%}
    cast(
        sign({{ numerator }})
        * ((2 * abs(cast({{ numerator }} as hugeint)) + ({{ denominator }})) // (2 * ({{ denominator }})))
        as bigint
    )
{%- endmacro %}

{# A ratio, never money: null when the whole is zero. #}
{% macro share_of(part, whole) -%}
    cast(cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0) as decimal(18, 6))
{%- endmacro %}

{# The same ratio as a feature: a double, so that no share is too large for it. #}
{% macro ratio_of(part, whole) -%}
    (cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0))
{%- endmacro %}

{# A per-interval amount as an amount per month, by the seed billing_intervals. #}
{% macro monthly_amount(amount_minor, intervals_per_year, interval_count) -%}
    {{ divide_half_up(
        amount_minor ~ ' * ' ~ intervals_per_year,
        '12 * ' ~ interval_count
    ) }}
{%- endmacro %}
