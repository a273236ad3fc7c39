{# Every price as tiers, so that one rule rates them all: a price without tiers is one tier without bounds. #}
with

prices as (select * from {{ ref('stg_stripe__prices') }}),

tiered as (

    select
        account_id,
        price_id,
        tiers_mode as rating_mode,
        cast(null as bigint) as package_size,
        tier_index,
        coalesce(
            lag(upper_bound) over (partition by account_id, price_id order by tier_index),
            0
        ) as lower_bound,
        upper_bound,
        unit_amount_decimal,
        flat_amount_minor
    from ({{ unnest_tiers('prices') }}) as unnested

),

flat as (

    select
        account_id,
        price_id,
        case
            when package_size is null then 'per_unit'
            when package_rounding = 'down' then 'package_down'
            else 'package_up'
        end as rating_mode,
        package_size,
        1 as tier_index,
        cast(0 as decimal(18, 6)) as lower_bound,
        cast(null as decimal(18, 6)) as upper_bound,
        unit_amount_decimal,
        cast(0 as bigint) as flat_amount_minor
    from prices
    where
        billing_scheme = 'per_unit'
        and unit_amount_decimal is not null

),

every_tier as (

    select * from tiered
    union all
    select * from flat

),

marked as (

    select
        *,
        -- included units end where the first tier with a unit price begins; a volume price prices them all
        rating_mode = 'graduated'
        and max(unit_amount_decimal) over (
            partition by account_id, price_id
            order by tier_index
        ) = 0 as is_included
    from every_tier

)

select * from marked
