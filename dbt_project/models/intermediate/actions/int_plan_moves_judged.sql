{# Which move is advised: upwards to a plan that is cheaper on enough paths and on their mean, or where usage
   presses on the quota in two periods and the other plan includes more; downwards to one that is cheaper on nearly all paths and was in the last two
   whole periods. Of several plans the one that costs least. What the item that presses most says stands for the
   subscription. #}
{% set move = ['account_id', 'subscription_id', 'next_product_id'] %}
with

moves as (select * from {{ ref('int_plan_moves_screened') }}),
rated as (select * from {{ ref('int_plan_moves_rated') }}),
periods as (select * from {{ ref('int_open_periods_forecast') }}),
pressures as (select * from {{ ref('int_quota_pressure') }}),
staged as (select * from {{ ref('stg_stripe__subscriptions') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
kinds as (select * from {{ ref('action_kinds') }}),

-- a schedule's phases would take discounts away, and need one period for all items
schedulable as (

    select
        items.account_id,
        items.subscription_id,
        {{ seconds_of('max(items.current_period_start)') }} as period_starts_at,
        {{ seconds_of('max(items.current_period_end)') }} as period_ends_at
    from items
    inner join staged
        on {{ same_keys('items', 'staged', ['account_id', 'subscription_id']) }}
    group by items.account_id, items.subscription_id
    having
        min(items.current_period_start) = max(items.current_period_start)
        and min(items.current_period_end) = max(items.current_period_end)
        and max(coalesce({{ length_of('staged.discounts') }}, 0)) = 0
        and max(coalesce({{ length_of('items.discounts') }}, 0)) = 0

),

described as (

    select
        moves.*,
        {{ columns_of('periods', [
            'as_of', 'meter_id', 'period_start', 'period_end', 'days_elapsed', 'days_in_period', 'days_remaining',
            'quantity_so_far', 'projected_quantity_low', 'projected_quantity_high', 'model_version',
        ]) }},
        coalesce(periods.median_quantity, periods.run_rate_quantity, periods.quantity_so_far) as projected_quantity,
        {{ columns_of('pressures', ['used_share', 'last_share', 'last_quantity', 'projected_share', 'near_chance']) }},
        coalesce(pressures.is_pressed and moves.next_included_units > moves.included_units, false) as is_pressed,
        row_number() over (
            partition by {{ columns_of('moves', move) }}
            order by
                coalesce(pressures.is_pressed, false) desc,
                coalesce(pressures.projected_share, -1) desc,
                moves.subscription_item_id asc
        ) as item_number

    from moves
    inner join periods
        on {{ same_keys('moves', 'periods', ['account_id', 'subscription_item_id']) }}
    left join pressures
        on {{ same_keys('moves', 'pressures', ['account_id', 'subscription_item_id']) }}
    where moves.usage_type = 'metered'

),

judged as (

    select
        described.*,
        {{ columns_of('rated', [
            'draws', 'draws_cheaper', 'closed_cheaper', 'current_cost_minor', 'next_cost_minor', 'difference_low_minor',
            'difference_high_minor', 'licensed_increase_minor',
        ]) }},
        {{ columns_of('kinds', ['kind', 'min_chance', 'value_months']) }},
        {{ columns_of('schedulable', ['period_starts_at', 'period_ends_at']) }},
        {{ share_of('rated.draws_cheaper', 'rated.draws') }} as cheaper_chance,
        -- in whole numbers of paths; a run-rate is no distribution
        described.basis >= 0
        and rated.draws_cheaper >= kinds.min_chance * rated.draws
        and rated.next_cost_minor < rated.current_cost_minor as is_cheaper

    from described
    inner join rated
        on {{ same_keys('described', 'rated', move) }}
    inner join kinds
        on kinds.kind = case when described.is_higher then 'tier_upgrade' else 'right_size_downgrade' end
    left join schedulable
        on {{ same_keys('described', 'schedulable', ['account_id', 'subscription_id']) }}
    where described.item_number = 1

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, subscription_id, kind
            order by is_cheaper desc, next_cost_minor asc, next_plan_rank asc, next_product_id asc
        ) as place
    from judged
    where
        case
            when is_higher then is_pressed or is_cheaper
            else is_cheaper and closed_cheaper = 2 and period_ends_at is not null
        end

)

select * from ranked
where place = 1
