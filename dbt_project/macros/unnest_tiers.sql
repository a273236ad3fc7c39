{# One row per tier of a relation's `tiers`, lowest first; bounds inclusive above, null for the last tier. #}
{% macro unnest_tiers(relation) %}

    select
        account_id,
        price_id,
        tiers_mode,
        cast(
            row_number() over (partition by account_id, price_id order by tier.up_to nulls last) as integer
        ) as tier_index,
        cast(tier.up_to as decimal(18, 6)) as upper_bound,
        cast(coalesce(tier.unit_amount_decimal, tier.unit_amount, '0') as decimal(24, 12)) as unit_amount_decimal,
        coalesce(tier.flat_amount, 0) as flat_amount_minor
    from (
        select
            account_id,
            price_id,
            tiers_mode,
            unnest(tiers) as tier
        from {{ relation }}
        where billing_scheme = 'tiered'
    ) as one_per_tier

{% endmacro %}
