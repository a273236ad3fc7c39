{# The columns that `rate` reads of tiers, besides account_id and price_id. #}
{% macro tier_columns() -%}
    currency, rating_mode, package_size, tier_index, lower_bound, upper_bound, unit_amount_decimal, flat_amount_decimal,
    billed_multiple_of
{%- endmacro %}

{# A select: each price of a relation shaped like int_price_book_tiers that a row of competitor_prices is held against, at
   the quantity of that row. #}
{% macro competitor_quantities(tiers) %}

    select distinct
        tiers.account_id,
        tiers.book,
        tiers.book_price_id as price_id,
        tiers.currency,
        tiers.minimum_amount_minor,
        concat_ws(
            ',', competitors.competitor, competitors.plan, competitors.product, competitors.meter_event_name,
            competitors.currency, competitors.quantity, competitors.amount_minor
        ) as row_text,
        {{ cast_or_null('trim(competitors.quantity)', 'decimal(18, 6)') }} as quantity,
        {{ cast_or_null('trim(competitors.amount_minor)', 'bigint') }} as competitor_minor
    from {{ tiers }} as tiers
    inner join {{ ref('dim_prices') }} as prices
        on {{ same_keys('tiers', 'prices', ['account_id', 'price_id']) }}
    inner join (
        select
            competitor,
            lower(nullif(trim(plan), '')) as plan,
            lower(nullif(trim(product), '')) as product,
            trim(meter_event_name) as meter_event_name,
            lower(trim(currency)) as currency,
            quantity,
            amount_minor
        from {{ ref('competitor_prices') }}
    ) as competitors
        on
            tiers.currency = competitors.currency
            and {{ is_price_named('prices', 'competitors') }}

{% endmacro %}

{# Whether a tier's unit price leaves less than a share of itself over the unit cost; so, if nobody knows. #}
{% macro is_below_unit_margin(tiers, unit_cost, share) -%}
    coalesce(
        {{ share_of(tiers ~ '.unit_amount_decimal', 'coalesce(' ~ tiers ~ '.package_size, 1)', 'double') }}
        * (1 - cast({{ share }} as {{ double_type() }})) < cast({{ unit_cost }} as {{ double_type() }}),
        true
    )
{%- endmacro %}

{# A select of breaches: per book the first of its paid tiers that is_below_unit_margin. #}
{% macro tiers_near_cost(tiers, prices, costs, rules) %}

    select
        tiers.account_id,
        tiers.book,
        min(tiers.row_text) as row_text,
        'min_unit_margin' as fault
    from {{ tiers }} as tiers
    inner join {{ prices }} as prices
        on {{ same_keys('tiers', 'prices', ['account_id', 'price_id']) }}
    inner join {{ costs }} as costs
        on
            prices.meter_event_name = costs.meter_event_name
            and tiers.currency = costs.currency
    cross join {{ rules }} as rules
    where
        tiers.unit_amount_decimal > 0
        and {{ is_below_unit_margin('tiers', 'costs.unit_cost_decimal', 'rules.min_unit_margin') }}
    group by tiers.account_id, tiers.book

{% endmacro %}

{# A select: of each currency the first meter in use that has no unit cost. #}
{% macro meters_without_cost(quantities) %}

    select
        account_id,
        currency,
        min(meter_event_name) as meter_event_name
    from {{ quantities }}
    where unit_cost_decimal is null
    group by account_id, currency

{% endmacro %}

{# Whether what competitor_quantities gave costs more than a share above the competitor; so, if nobody knows. #}
{% macro is_above_competitor(rated, share) -%}
    coalesce(
        greatest({{ rated }}.rated_amount_minor, {{ rated }}.minimum_amount_minor)
        > {{ rated }}.competitor_minor * (1 + {{ share }}),
        true
    )
{%- endmacro %}

{# The standard error of the slope of a regression through the origin, from its sums of products. #}
{% macro error_of_slope(xx, xy, yy, n) -%}
    sqrt({{ share_of(
        'greatest(' ~ yy ~ ' - ' ~ share_of(xy ~ ' * ' ~ xy, xx, 'double') ~ ', 0)', xx ~ ' * (' ~ n ~ ' - 1)', 'double'
    ) }})
{%- endmacro %}

{# A select: the segments of customers, none for those without one, and all. #}
{% macro segments_and_all() %}

    select 'all' as segment
    union distinct
    select coalesce(segment, 'none') as segment
    from {{ ref('dim_customers') }}

{% endmacro %}
