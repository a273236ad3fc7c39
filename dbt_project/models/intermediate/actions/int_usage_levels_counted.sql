{# Levels of money as units: in each tier of the item's price the smallest whole quantity that reaches the level,
   the smallest of those that lie in their tier, and then the proof by the one rating rule: that many units cost as
   much, and one unit less does not. What does not pass the proof, or is passed already, is no level. #}
{% set level = ['account_id', 'subscription_item_id', 'level'] %}
with

levels as (select * from {{ ref('int_usage_levels_ahead') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),
steps as (
    select 0 as fewer
    union all
    select 1 as fewer
),

-- what all tiers below cost when they are full: at the lower bound itself the next tier is not entered
bounds as (

    select
        {{ columns_of('levels', level) }},
        levels.level_minor,
        tiers.price_id,
        tiers.currency,
        {{ columns_of('tiers', [
            'tier_index', 'rating_mode', 'package_size', 'lower_bound', 'upper_bound', 'unit_amount_decimal',
            'flat_amount_decimal', 'billed_multiple_of',
        ]) }},
        case when tiers.rating_mode = 'graduated' then tiers.lower_bound else 0 end as quantity
    from levels
    inner join tiers
        on {{ same_keys('levels', 'tiers', ['account_id', 'price_id', 'currency']) }}
    where levels.level_minor is not null

),

below as ({{ rate_totals('bounds', level[1:] + ['tier_index']) }}),

entered as (

    select
        bounds.*,
        bounds.level_minor
        - case when bounds.rating_mode = 'graduated' and bounds.lower_bound > 0 then below.rated_amount_minor else 0 end
        - {{ rounded_amount(
            "case when bounds.rating_mode in ('graduated', 'volume') then bounds.flat_amount_decimal else 0 end",
            'bounds.billed_multiple_of'
        ) }} as need_minor
    from bounds
    inner join below
        on {{ same_keys('bounds', 'below', level + ['tier_index']) }}

),

reached as (
    select
        *,
        case
            when need_minor <= 0 then 0
            else {{ units_reaching('need_minor', 'unit_amount_decimal', 'billed_multiple_of') }}
        end as units
    from entered
),

placed as (

    select
        {{ level | join(', ') }},
        min(greatest(
            case rating_mode
                when 'graduated' then ceil(lower_bound + units)
                when 'package_up' then (units - 1) * package_size + 1
                when 'package_down' then units * package_size
                else units
            end,
            floor(lower_bound) + 1
        )) as level_quantity
    from reached
    where
        units is not null
        and coalesce(case when rating_mode = 'graduated' then lower_bound else 0 end + units <= upper_bound, true)
    group by {{ level | join(', ') }}

),

tried as (

    select
        {{ columns_of('levels', level + ['price_id', 'currency', 'level_minor']) }},
        cast(placed.level_quantity - steps.fewer as decimal(18, 6)) as quantity,
        steps.fewer
    from levels
    inner join placed
        on {{ same_keys('levels', 'placed', level) }}
    cross join steps

),

rated as ({{ rate_totals('tried', level[1:] + ['fewer']) }}),

proved as (

    select
        {{ columns_of('tried', level) }},
        max(tried.quantity) as level_quantity
    from tried
    inner join rated
        on {{ same_keys('tried', 'rated', level + ['fewer']) }}
    group by {{ columns_of('tried', level) }}
    having bool_and((rated.rated_amount_minor >= tried.level_minor) = (tried.fewer = 0))

),

counted as (
    select
        levels.*,
        cast(coalesce(levels.level_quantity, proved.level_quantity) as decimal(18, 6)) as counted_quantity
    from levels
    left join proved on {{ same_keys('levels', 'proved', level) }}
)

select * from counted where counted_quantity > quantity_so_far
