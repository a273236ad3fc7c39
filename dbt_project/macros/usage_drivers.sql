{# The part of a period's quantity effect that the days so far account for, by their share of its change in quantity,
   rounded. Differences of successive ones are what days contribute: each is within one minor unit of its exact share,
   and they sum to the effect, for the last is all of it. Zero where the quantity did not change, and so costs nothing. #}
{% macro part_by_day(quantity_so_far) -%}
    coalesce(
        {{ divide_half_up(
            'cast(pairs.quantity_effect_minor * sign(pairs.quantity_change) as decimal(18, 0)) * '
            ~ in_millionths(quantity_so_far),
            in_millionths('abs(pairs.quantity_change)')
        ) }},
        0
    )
{%- endmacro %}

{# A quantity of six decimals as a whole number. #}
{% macro in_millionths(quantity) -%}
    cast(1000000 * ({{ quantity }}) as decimal(20, 0))
{%- endmacro %}
