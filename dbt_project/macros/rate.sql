{# THE tier rule: what a quantity costs at a price, in steps, as Stripe bills lines.

   quantities: a relation or CTE with the columns `keys`, account_id, price_id, currency (the one that is charged) and
       quantity (decimal(18, 6), in the meter's unit before transform_quantity). A price with no row in int_price_tiers
       for that currency is not rated; a negative quantity is rated as zero, as Stripe does; half a unit is half a unit.
   keys: the columns besides account_id and price_id that tell one rating from another.
   tiers: a relation or CTE in the shape of int_price_tiers, for other prices than the catalogue's; that, if none.

   Gives one row per key, price and step, with
       step_number          integer: 1 for the first step
       tier_index           1 for the lowest tier, and for a price without tiers
       is_flat_fee          the tier's flat amount, a step of its own; the first tier is entered even by zero usage
       tier_quantity        decimal(18, 6): the units charged in this step (packages: after transform_quantity; a fee: 1)
       unit_amount_decimal  decimal(24, 12): minor units for one; null where the price has none for this tier
       billed_multiple_of   integer: what amounts of the currency are multiples of
       amount_minor         bigint: their product, halves away from zero, in such multiples;
                            null without a unit price, or beyond largest_amount_minor

   Bounds are inclusive above: `lower_bound < quantity <= upper_bound`. Each step is rounded by itself because Stripe
   bills it as a line of its own. decimal(18, 6) x decimal(24, 12) is decimal(38, 18), 20 digits before the point: what
   would not fit is not multiplied, so that one absurd row is counted (data_quality: rating_overflow), not fatal. #}
{% macro rate(quantities, keys, tiers=none) %}

    select
        {% for key in keys -%}
            steps.{{ key }},
        {% endfor -%}
        steps.account_id,
        steps.price_id,
        steps.step_number,
        steps.tier_index,
        steps.is_flat_fee,
        steps.tier_quantity,
        steps.unit_amount_decimal,
        steps.billed_multiple_of,
        {{ rounded_amount(
            'case when ' ~ fits_an_amount('steps.tier_quantity', 'steps.unit_amount_decimal')
            ~ ' then steps.tier_quantity end * steps.unit_amount_decimal',
            'steps.billed_multiple_of'
        ) }} as amount_minor
    from (
        select
            {% for key in keys -%}
                billed.{{ key }},
            {% endfor -%}
            billed.account_id,
            billed.price_id,
            tiers.step_number,
            tiers.tier_index,
            tiers.is_flat_fee,
            tiers.unit_amount_decimal,
            tiers.billed_multiple_of,
            cast(
                case
                    when tiers.is_flat_fee then 1
                    -- `least` would pass over it
                    when billed.quantity is null then null
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
                currency as billed_currency,
                {{ cast_or_null('case when quantity < 0 then 0 else quantity end', 'decimal(18, 6)') }} as quantity
            from {{ quantities }}
        ) as billed
        inner join ({{ price_steps(tiers) }}) as tiers
            on
                billed.account_id = tiers.account_id
                and billed.price_id = tiers.price_id
                and billed.billed_currency = tiers.currency
                and (billed.quantity > tiers.lower_bound or tiers.tier_index = 1)
                and (
                    tiers.rating_mode != 'volume'
                    or tiers.upper_bound is null
                    or coalesce(billed.quantity, 0) <= tiers.upper_bound
                )
    ) as steps

{% endmacro %}

{# The amount of each key at each price: the sum of its steps, rated_amount_minor (bigint), null where one step has no
   amount. Arguments as for `rate`. #}
{% macro rate_totals(quantities, keys, tiers=none) %}

    select
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        account_id,
        price_id,
        {{ sum_of_steps() }} as rated_amount_minor
    from ({{ rate(quantities, keys, tiers) }}) as steps
    group by
        {% for key in keys -%}
            {{ key }},
        {% endfor -%}
        account_id,
        price_id

{% endmacro %}
