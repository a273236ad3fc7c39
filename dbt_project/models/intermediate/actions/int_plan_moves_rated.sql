{# What each move would cost and spare, on every path of its basis and in the last two whole periods at today's prices,
   through the one rating rule. Licensed items cost the same on each. A move that cannot be priced in full is none. #}
{% set move = ['account_id', 'subscription_id', 'next_product_id'] %}
{% set priced = move + ['subscription_item_id', 'usage_type', 'currency', 'price_id', 'next_price_id'] %}
{% set spent = 'case when draw > 0 then next_minor - current_minor end' %}
{% set draws = 'sum(case when draw > 0 then 1 else 0 end)' %}
with

moves as (select * from {{ ref('int_plan_moves_screened') }}),
paths as (select * from {{ ref('int_usage_paths_rated') }} where not is_backtest),
settled as (select * from {{ ref('int_usage_periods_settled') }}),
sides as (
    select 'current' as side
    union all
    select 'next' as side
),

closed as (

    select
        account_id,
        subscription_item_id,
        quantity,
        -row_number() over (partition by account_id, subscription_item_id order by period_start desc) as draw
    from settled

),

drawn as (

    select
        {{ columns_of('moves', priced) }},
        0 as draw,
        cast(coalesce(moves.licensed_quantity, 1) as decimal(18, 6)) as quantity
    from moves
    where moves.usage_type != 'metered'
    union all
    select
        {{ columns_of('moves', priced) }},
        -- a run-rate stands for all the draws that there are not
        case when moves.basis = -1 then 1 else paths.path end as draw,
        paths.quantity
    from moves
    inner join paths
        on
            {{ same_keys('moves', 'paths', ['account_id', 'subscription_item_id']) }}
            and case
                when moves.basis = -1 then paths.period_number = 0 and paths.path = 0
                else paths.period_number = moves.basis and paths.path > 0
            end
    where moves.usage_type = 'metered'
    union all
    select
        {{ columns_of('moves', priced) }},
        closed.draw,
        closed.quantity
    from moves
    inner join closed
        on {{ same_keys('moves', 'closed', ['account_id', 'subscription_item_id']) }} and closed.draw >= -2
    where moves.usage_type = 'metered'

),

billed as (

    select
        {{ columns_of('drawn', move + ['subscription_item_id', 'draw', 'currency', 'quantity']) }},
        sides.side,
        case sides.side when 'current' then drawn.price_id else drawn.next_price_id end as price_id
    from drawn
    cross join sides

),

rated as ({{ rate_totals('billed', move[1:] + ['subscription_item_id', 'draw', 'side']) }}),

summed as (

    select
        {{ columns_of('billed', move + ['draw']) }},
        count(*) = count(rated.rated_amount_minor) as is_priced,
        cast(sum(case when billed.side = 'next' then 0 else rated.rated_amount_minor end) as bigint) as current_minor,
        cast(sum(case when billed.side = 'next' then rated.rated_amount_minor else 0 end) as bigint) as next_minor
    from billed
    left join rated
        on {{ same_keys('billed', 'rated', move + ['subscription_item_id', 'draw', 'side']) }}
    group by {{ columns_of('billed', move + ['draw']) }}

),

fixed as (select * from summed where draw = 0),

whole as (

    select
        {{ columns_of('summed', move + ['draw']) }},
        summed.is_priced and coalesce(fixed.is_priced, true) as is_priced,
        summed.current_minor + coalesce(fixed.current_minor, 0) as current_minor,
        summed.next_minor + coalesce(fixed.next_minor, 0) as next_minor,
        coalesce(fixed.next_minor - fixed.current_minor, 0) as licensed_increase_minor
    from summed
    left join fixed
        on {{ same_keys('summed', 'fixed', move) }}
    where summed.draw != 0

)

select
    {{ move | join(', ') }},
    {{ draws }} as draws,
    sum(case when draw > 0 and next_minor < current_minor then 1 else 0 end) as draws_cheaper,
    sum(case when draw < 0 and next_minor <= current_minor then 1 else 0 end) as closed_cheaper,
    {{ divide_half_up('sum(case when draw > 0 then current_minor end)', draws) }} as current_cost_minor,
    {{ divide_half_up('sum(case when draw > 0 then next_minor end)', draws) }} as next_cost_minor,
    {{ quantile_of(spent, '0.1') }} as difference_low_minor,
    {{ quantile_of(spent, '0.9') }} as difference_high_minor,
    max(licensed_increase_minor) as licensed_increase_minor
from whole
group by {{ move | join(', ') }}
having bool_and(is_priced) and {{ draws }} > 0
