{# What each move would cost and spare, on every path of its basis and in the last two whole periods at today's prices,
   through the one rating rule. Licensed items cost the same on each. A move that cannot be priced in full is none.
   Moves go by a number while millions of draws are rated: with texts as keys it took four times as long. #}
{% set move = ['account_id', 'subscription_id', 'next_product_id'] %}
{% set spent = 'case when draw > 0 then next_minor - current_minor end' %}
{% set draws = 'sum(case when draw > 0 then 1 else 0 end)' %}
with

screened as (select * from {{ ref('int_plan_moves_screened') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),
paths as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest),
settled as (select * from {{ ref('int_usage_periods_settled') }}),
sides as (
    select 'current' as side
    union all
    select 'next' as side
),

prices as (select distinct {{ columns_of('tiers', ['account_id', 'price_id', 'currency']) }} from tiers),

moves as (

    select
        screened.*,
        dense_rank() over (order by {{ columns_of('screened', move) }}) as move_number,
        row_number() over (
            partition by {{ columns_of('screened', move) }} order by screened.subscription_item_id
        ) as place,
        bool_and(prices.price_id is not null and next_prices.price_id is not null)
            over (partition by {{ columns_of('screened', move) }}) as is_known
    from screened
    left join prices on {{ same_keys('screened', 'prices', ['account_id', 'price_id', 'currency']) }}
    left join prices as next_prices
        on
            {{ same_keys('screened', 'next_prices', ['account_id', 'currency']) }}
            and screened.next_price_id = next_prices.price_id

),

drawn as (

    {{ quantities_drawn(['account_id', 'move_number', 'currency', 'price_id', 'next_price_id']) }}

),

billed as (

    select
        {{ columns_of('drawn', ['account_id', 'move_number', 'draw', 'currency', 'quantity']) }},
        sides.side,
        case sides.side when 'current' then drawn.price_id else drawn.next_price_id end as price_id
    from drawn
    cross join sides

),

steps as ({{ rate('billed', ['move_number', 'draw', 'side']) }}),

summed as (

    select
        move_number,
        draw,
        count(*) = count(amount_minor) as is_priced,
        cast(sum(case when side = 'next' then 0 else amount_minor end) as bigint) as current_minor,
        cast(sum(case when side = 'next' then amount_minor else 0 end) as bigint) as next_minor
    from steps
    group by move_number, draw

),

fixed as (select * from summed where draw = 0),

whole as (

    select
        summed.move_number,
        summed.draw,
        summed.is_priced and coalesce(fixed.is_priced, true) as is_priced,
        summed.current_minor + coalesce(fixed.current_minor, 0) as current_minor,
        summed.next_minor + coalesce(fixed.next_minor, 0) as next_minor,
        coalesce(fixed.next_minor - fixed.current_minor, 0) as licensed_increase_minor
    from summed
    left join fixed on summed.move_number = fixed.move_number
    where summed.draw != 0

),

drawn_moves as (

    select
        move_number,
        {{ draws }} as draws,
        sum(case when draw > 0 and next_minor < current_minor then 1 else 0 end) as draws_cheaper,
        sum(case when draw < 0 and next_minor < current_minor then 1 else 0 end) as closed_cheaper,
        {{ divide_half_up('sum(case when draw > 0 then current_minor end)', draws) }} as current_cost_minor,
        {{ divide_half_up('sum(case when draw > 0 then next_minor end)', draws) }} as next_cost_minor,
        {{ quantile_of(spent, '0.1') }} as difference_low_minor,
        {{ quantile_of(spent, '0.9') }} as difference_high_minor,
        max(licensed_increase_minor) as licensed_increase_minor
    from whole
    group by move_number
    having bool_and(is_priced) and {{ draws }} > 0

)

select
    {{ columns_of('moves', move) }},
    {{ columns_of('drawn_moves', [
        'draws', 'draws_cheaper', 'closed_cheaper', 'current_cost_minor', 'next_cost_minor',
        'difference_low_minor', 'difference_high_minor', 'licensed_increase_minor',
    ]) }}
from drawn_moves
inner join moves on drawn_moves.move_number = moves.move_number
where moves.place = 1 and moves.is_known
