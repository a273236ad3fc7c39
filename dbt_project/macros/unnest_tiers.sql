{# One row per currency of each tiered price in `relation` and tier of its `tiers`, lowest first; bounds are inclusive
   above, null for the last tier. Amounts that are no numbers are null: such a tier has no price. #}
{% macro unnest_tiers(relation) -%}
    {{ adapter.dispatch('unnest_tiers', 'meterwise')(relation) }}
{%- endmacro %}

{% macro default__unnest_tiers(relation) %}

    select
        account_id,
        price_id,
        currency,
        tiers_mode,
        cast(
            row_number() over (
                partition by account_id, price_id, currency
                order by tier.up_to nulls last, tier.unit_amount_decimal, tier.unit_amount
            ) as integer
        ) as tier_index,
        -- no quantity is larger than its type; a bound beyond it is one that nobody reaches
        cast(case when tier.up_to > 999999999999 then 999999999999 else tier.up_to end as decimal(18, 6))
            as upper_bound,
        {{ cast_or_null("coalesce(tier.unit_amount_decimal, tier.unit_amount, '0')", 'decimal(24, 12)') }}
            as unit_amount_decimal,
        {{ cast_or_null(
            "coalesce(tier.flat_amount_decimal, cast(tier.flat_amount as varchar), '0')", 'decimal(24, 12)'
        ) }} as flat_amount_decimal
    from (
        select
            account_id,
            price_id,
            currency,
            tiers_mode,
            unnest(tiers) as tier
        from ({{ price_currencies(relation) }}) as every_currency
        where billing_scheme = 'tiered'
    ) as one_per_tier

{% endmacro %}

{# One row per price of `relation` and currency that it can be charged in: its own, and those of `currency_options`. #}
{% macro price_currencies(relation) -%}
    {{ adapter.dispatch('price_currencies', 'meterwise')(relation) }}
{%- endmacro %}

{% macro default__price_currencies(relation) %}

    select
        account_id,
        price_id,
        currency,
        billing_scheme,
        tiers_mode,
        package_size,
        package_rounding,
        unit_amount_decimal,
        tiers
    from {{ relation }}
    union all
    select
        account_id,
        price_id,
        lower(option.key) as currency,
        billing_scheme,
        tiers_mode,
        package_size,
        package_rounding,
        {{ cast_or_null('option.value.unit_amount_decimal', 'decimal(24, 12)') }} as unit_amount_decimal,
        option.value.tiers as tiers
    from (
        select
            *,
            unnest(map_entries(currency_options)) as option
        from {{ relation }}
    ) as one_per_option
    where lower(option.key) != currency

{% endmacro %}
