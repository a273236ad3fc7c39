{# Which moves are worth rating on every path: rating all would be 200 times the work. Both plans are rated at five
   quantiles; what is cheaper at none of them and presses on no quota (downwards: is not cheaper at the median) is
   left. Moves are judged on the next period, which is billed on the new plan from its first day; where the paths do
   not reach that far, on the running one, and without paths at its run-rate. #}
{% set cases = band_columns() %}
{% set move = ['account_id', 'subscription_id', 'next_product_id'] %}
with

moves as (select * from {{ ref('int_plan_moves_possible') }}),
drawn as (select * from {{ ref('int_usage_paths_periods') }} where not is_backtest and period_number in (0, 1)),
pressures as (select * from {{ ref('int_quota_pressure') }}),
sides as (
    select 'current' as side
    union all
    select 'next' as side
),
cases as (
    {% for case in cases -%}
        select '{{ case }}' as quantity_case {{ 'union all' if not loop.last }}
    {% endfor %}
),

based as (

    select
        moves.account_id,
        moves.subscription_id,
        moves.next_product_id,
        case
            when count(following.median_quantity) = max(moves.metered_items) then 1
            when count(running.median_quantity) = max(moves.metered_items) then 0
            else -1
        end as basis,
        coalesce(bool_or(pressures.is_pressed), false) as is_pressed

    from moves
    left join drawn as following
        on {{ same_keys('moves', 'following', ['account_id', 'subscription_item_id']) }} and following.period_number = 1
    left join drawn as running
        on {{ same_keys('moves', 'running', ['account_id', 'subscription_item_id']) }} and running.period_number = 0
    left join pressures
        on {{ same_keys('moves', 'pressures', ['account_id', 'subscription_item_id']) }}
    where moves.usage_type = 'metered'
    group by moves.account_id, moves.subscription_id, moves.next_product_id

),

quantities as (

    select
        {{ columns_of('moves', move + ['subscription_item_id', 'currency']) }},
        sides.side,
        cases.quantity_case,
        case sides.side when 'current' then moves.price_id else moves.next_price_id end as price_id,
        case
            when moves.usage_type != 'metered' then coalesce(moves.licensed_quantity, 1)
            when based.basis = -1 then drawn.run_rate_quantity
            {% for case in cases -%}
                when cases.quantity_case = '{{ case }}' then drawn.{{ case }}_quantity
            {% endfor -%}
        end as quantity

    from moves
    inner join based
        on {{ same_keys('moves', 'based', move) }}
    cross join sides
    cross join cases
    left join drawn
        on
            {{ same_keys('moves', 'drawn', ['account_id', 'subscription_item_id']) }}
            and greatest(based.basis, 0) = drawn.period_number

),

rated as ({{ rate_totals('quantities', move[1:] + ['subscription_item_id', 'side', 'quantity_case']) }}),

compared as (

    select
        {{ move | join(', ') }},
        quantity_case,
        sum(case when side = 'next' then rated_amount_minor else -rated_amount_minor end) as difference_minor
    from rated
    group by {{ move | join(', ') }}, quantity_case

),

screened as (

    select
        {{ columns_of('compared', move) }},
        min(compared.difference_minor) as least_difference_minor,
        max(case when compared.quantity_case = 'median' then compared.difference_minor end) as median_difference_minor
    from compared
    group by {{ columns_of('compared', move) }}

)

select
    moves.*,
    based.basis
from moves
inner join based
    on {{ same_keys('moves', 'based', move) }}
inner join screened
    on {{ same_keys('moves', 'screened', move) }}
where
    case
        when moves.is_higher then based.is_pressed or screened.least_difference_minor < 0
        else screened.median_difference_minor < 0
    end
