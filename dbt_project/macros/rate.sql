{# THE tier rule: what a quantity costs at a price, in steps.

   quantities: a relation or CTE with the columns `keys`, account_id, price_id and quantity (decimal(18, 6), in the
       meter's unit before transform_quantity). A price with no row in int_price_tiers is not rated; a negative
       quantity is rated as zero, as Stripe does.
   keys: the columns besides account_id and price_id that tell one rating from another.

   Gives one row per key, price and tier that is charged, with
       tier_index           1 for the lowest tier, and for a price without tiers
       tier_quantity        decimal(18, 6): the units charged in this tier (packages: after transform_quantity)
       unit_amount_decimal  decimal(24, 12): minor units for one
       flat_amount_minor    bigint: charged once when the tier is entered; the first tier is entered even by zero usage
       amount_minor         bigint: tier_quantity x unit_amount_decimal rounded half up, plus the flat amount

   Bounds are inclusive above: `lower_bound < quantity <= upper_bound`. Each step is rounded by itself because Stripe
   bills it as a line of its own. decimal(18, 6) x decimal(24, 12) is decimal(38, 18): 20 digits before the point, and
   DuckDB raises an error beyond them; two decimal(38, 12) would leave 14. #}
{% macro rate(quantities, keys) %}

    select
        {% for key in keys -%}
            tiers_reached.{{ key }},
        {% endfor -%}
        tiers_reached.account_id,
        tiers_reached.price_id,
        tiers_reached.tier_index,
        tiers_reached.tier_quantity,
        tiers_reached.unit_amount_decimal,
        tiers_reached.flat_amount_minor,
        cast(round(tiers_reached.tier_quantity * tiers_reached.unit_amount_decimal) as bigint)
        + tiers_reached.flat_amount_minor as amount_minor
    from (
        select
            {% for key in keys -%}
                billed.{{ key }},
            {% endfor -%}
            billed.account_id,
            billed.price_id,
            tiers.tier_index,
            tiers.unit_amount_decimal,
            tiers.flat_amount_minor,
            cast(
                case
                    when tiers.rating_mode = 'graduated'
                        then least(billed.quantity, coalesce(tiers.upper_bound, billed.quantity)) - tiers.lower_bound
                    when tiers.rating_mode = 'package_up'
                        then {{ whole_packages('billed.quantity', 'tiers.package_size', round_up=true) }}
                    when tiers.rating_mode = 'package_down'
                        then {{ whole_packages('billed.quantity', 'tiers.package_size', round_up=false) }}
                    else billed.quantity
                end
                as decimal(18, 6)
            ) as tier_quantity
        from (
            select
                {% for key in keys -%}
                    {{ key }},
                {% endfor -%}
                account_id,
                price_id,
                cast(greatest(quantity, 0) as decimal(18, 6)) as quantity
            from {{ quantities }}
        ) as billed
        inner join {{ ref('int_price_tiers') }} as tiers
            on
                billed.account_id = tiers.account_id
                and billed.price_id = tiers.price_id
                and (billed.quantity > tiers.lower_bound or tiers.tier_index = 1)
                and (
                    tiers.rating_mode != 'volume'
                    or tiers.upper_bound is null
                    or billed.quantity <= tiers.upper_bound
                )
    ) as tiers_reached

{% endmacro %}

{# The amount of each key at each price: the sum of its steps, rated_amount_minor (bigint). Arguments as for `rate`. #}
{% macro rate_totals(quantities, keys) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        account_id,
        price_id,
        cast(sum(amount_minor) as bigint) as rated_amount_minor
    from ({{ rate(quantities, keys) }}) as steps
    group by
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        account_id,
        price_id

{% endmacro %}

{# Packages of `package_size` in a quantity, exactly: counted in millionths, because decimal division is floating. #}
{% macro whole_packages(quantity, package_size, round_up) -%}
    (
        cast({{ quantity }} * 1000000 as hugeint)
        {%- if round_up %} + 1000000 * cast({{ package_size }} as hugeint) - 1{% endif %}
    ) // (1000000 * cast({{ package_size }} as hugeint))
{%- endmacro %}
