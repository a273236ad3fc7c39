{# Integer division, exact halves away from zero. Money is divided here and nowhere else; both sides are whole numbers,
   the lower one above zero, and the result is a bigint (null for a denominator of zero). The intermediate is a hugeint,
   so that no bigint amount overflows it. #}
{% macro divide_half_up(numerator, denominator) -%}
    {{ return(adapter.dispatch('divide_half_up', 'meterwise')(numerator, denominator)) }}
{%- endmacro %}

{% macro default__divide_half_up(numerator, denominator) -%}
    cast(
        sign({{ numerator }})
        * (
            (2 * abs(cast({{ numerator }} as hugeint)) + cast({{ denominator }} as hugeint))
            // (2 * nullif(cast({{ denominator }} as hugeint), 0))
        )
        as bigint
    )
{%- endmacro %}

{# A ratio, never money: null when the whole is zero, or the ratio too large for its type. As a feature it is a 'double', so that no share is too large. #}
{% macro share_of(part, whole, data_type='decimal(18, 6)') -%}
    {{ cast_or_null(
        'cast(' ~ part ~ ' as ' ~ double_type() ~ ') / nullif(cast(' ~ whole ~ ' as ' ~ double_type() ~ '), 0)',
        double_type() if data_type == 'double' else data_type
    ) }}
{%- endmacro %}

{# A per-interval amount as an amount per month, by the seed billing_intervals. #}
{% macro monthly_amount(amount_minor, intervals_per_year, interval_count) -%}
    {{ divide_half_up(
        amount_minor ~ ' * ' ~ intervals_per_year,
        '12 * ' ~ interval_count
    ) }}
{%- endmacro %}

{# How many minor units make one of the currency, by its exponent; null for one that no currency has. #}
{% macro power_of_ten(exponent) -%}
    case {{ exponent }} when 0 then 1 when 1 then 10 when 2 then 100 when 3 then 1000 when 4 then 10000 end
{%- endmacro %}
