{# Every price as tiers, in each of its currencies, so that one rule rates them all: a price without tiers is one tier
   without bounds. A price that cannot be rated has no row, or a tier without unit price; nobody guesses one. #}
with

prices as (select * from {{ ref('stg_stripe__prices') }}),
currencies as (select * from {{ ref('currencies') }}),

tiered as (

    select
        account_id,
        price_id,
        currency,
        tiers_mode as rating_mode,
        cast(null as bigint) as package_size,
        tier_index,
        coalesce(
            lag(upper_bound) over (partition by account_id, price_id, currency order by tier_index),
            0
        ) as lower_bound,
        upper_bound,
        unit_amount_decimal,
        flat_amount_decimal
    from ({{ unnest_tiers('prices') }}) as unnested
    where tiers_mode in ('graduated', 'volume')

),

-- where the last tier has a bound, what lies above it has no price
above_the_last as (

    select
        account_id,
        price_id,
        currency,
        rating_mode,
        cast(null as bigint) as package_size,
        cast(max(tier_index) + 1 as integer) as tier_index,
        max(upper_bound) as lower_bound,
        cast(null as decimal(18, 6)) as upper_bound,
        cast(null as decimal(24, 12)) as unit_amount_decimal,
        cast(0 as decimal(24, 12)) as flat_amount_decimal
    from tiered
    group by
        account_id,
        price_id,
        currency,
        rating_mode
    having count(upper_bound) = count(*)

),

flat as (

    select
        account_id,
        price_id,
        currency,
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
        cast(0 as decimal(24, 12)) as flat_amount_decimal
    from ({{ price_currencies('prices') }}) as every_currency
    where
        billing_scheme = 'per_unit'
        and unit_amount_decimal is not null
        and coalesce(package_size, 1) > 0

),

every_tier as (

    select * from tiered
    union all
    select * from above_the_last
    union all
    select * from flat

)

select
    every_tier.*,
    coalesce(currencies.billed_multiple_of, 1) as billed_multiple_of,
    -- included units end where the first tier with a unit price begins; a volume price prices them all
    every_tier.rating_mode = 'graduated'
    and every_tier.unit_amount_decimal is not null
    and max(every_tier.unit_amount_decimal) over (
        partition by every_tier.account_id, every_tier.price_id, every_tier.currency
        order by every_tier.tier_index
    ) = 0 as is_included
from every_tier
left join currencies
    on every_tier.currency = currencies.currency
