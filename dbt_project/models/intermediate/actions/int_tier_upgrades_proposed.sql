{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON. #}
with

upgrades as (select * from {{ ref('int_tier_upgrades_valued') }}),
moves as (select * from {{ ref('int_tier_upgrades_moved') }}),
texts as (select * from {{ ref('int_tier_upgrades_worded') }}),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),

moved_items as (

    select
        account_id,
        upgrade_item_id,
        -- a price change resets a licensed quantity to 1 unless it is sent; a metered item takes none
        list(
            case
                when licensed_quantity is null
                    then json_object('id', subscription_item_id, 'price', next_price_id)
                else json_object('id', subscription_item_id, 'price', next_price_id, 'quantity', licensed_quantity)
            end
            order by subscription_item_id
        ) as items

    from moves
    group by account_id, upgrade_item_id

),

proposed as (

    select
        upgrades.account_id,
        upgrades.kind,
        upgrades.as_of,
        upgrades.customer_id,
        upgrades.subscription_id,
        cast(null as varchar) as source_event_id,
        upgrades.subscription_item_id as subject_id,
        upgrades.next_price_id as target_key,
        strftime(upgrades.period_start, '%Y-%m-%d') as period,
        upgrades.currency,
        -- exposure: a higher plan with a lower base fee exposes nobody
        greatest(upgrades.monthly_licensed_increase_minor, 0) as amount_minor,
        {{ share_of('upgrades.difference_minor', 'upgrades.current_cost_minor') }} as pct_change,
        cast(json_object(
            'items', to_json(moved_items.items),
            'proration_behavior', 'none',
            'subscription', upgrades.subscription_id
        ) as varchar) as params,
        preconditions.precondition,
        texts.reason,
        cast(json_object(
            'as_of', strftime(upgrades.as_of, '%Y-%m-%d'),
            'current_cost_minor', upgrades.current_cost_minor,
            'days_beyond_horizon', upgrades.days_beyond_horizon,
            'days_remaining', upgrades.days_remaining,
            'included_units', cast(upgrades.included_units as varchar),
            'next_cost_minor', upgrades.next_cost_minor,
            'next_price_id', upgrades.next_price_id,
            'period_end', strftime(upgrades.period_end, '%Y-%m-%dT%H:%M:%SZ'),
            'price_id', upgrades.price_id,
            'projected_quantity', cast(upgrades.projected_quantity as varchar),
            'projected_quantity_high', cast(upgrades.projected_quantity_high as varchar),
            'projected_quantity_low', cast(upgrades.projected_quantity_low as varchar),
            'projected_share', cast(upgrades.projected_share as varchar),
            'quantity_so_far', cast(upgrades.quantity_so_far as varchar),
            'used_share', cast(upgrades.used_share as varchar)
        ) as varchar) as evidence,
        upgrades.model_version,
        upgrades.expected_value_minor,
        least(upgrades.expected_value_minor, upgrades.value_at_smaller_difference_minor) as expected_value_low_minor,
        greatest(upgrades.expected_value_minor, upgrades.value_at_larger_difference_minor)
            as expected_value_high_minor,
        cast(upgrades.confidence as double) as confidence,
        cast(upgrades.projected_share as double) as urgency

    from upgrades
    inner join moved_items
        on
            upgrades.account_id = moved_items.account_id
            and upgrades.subscription_item_id = moved_items.upgrade_item_id
    inner join texts
        on
            upgrades.account_id = texts.account_id
            and upgrades.subscription_item_id = texts.subscription_item_id
    inner join preconditions
        on
            upgrades.account_id = preconditions.account_id
            and upgrades.subscription_id = preconditions.subscription_id

)

select * from proposed
