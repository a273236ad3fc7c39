{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON. #}
with

upgrades as (select * from {{ ref('int_tier_upgrades_valued') }}),
moves as (select * from {{ ref('int_tier_upgrades_moved') }}),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),

items_written as (

    select
        account_id,
        upgrade_item_id,
        subscription_item_id,
        -- a price change resets a licensed quantity to 1 unless it is sent; a metered item takes none
        case
            when licensed_quantity is null
                then {{ as_json({'id': 'subscription_item_id', 'price': 'next_price_id'}) }}
            else {{ as_json({
                'id': 'subscription_item_id', 'price': 'next_price_id', 'quantity': 'licensed_quantity',
            }) }}
        end as item

    from moves

),

moved_items as (

    select
        account_id,
        upgrade_item_id,
        {{ json_of_rows('item', 'subscription_item_id') }} as items

    from items_written
    group by account_id, upgrade_item_id

),

proposed as (

    select
        upgrades.account_id,
        upgrades.kind,
        upgrades.as_of,
        upgrades.customer_id,
        upgrades.subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        upgrades.subscription_item_id as subject_id,
        upgrades.next_price_id as target_key,
        {{ date_text('upgrades.period_start') }} as period,
        upgrades.currency,
        -- exposure: a higher plan with a lower base fee exposes nobody
        greatest(upgrades.monthly_licensed_increase_minor, 0) as amount_minor,
        {{ share_of('upgrades.difference_minor', 'upgrades.current_cost_minor') }} as pct_change,
        upgrades.monthly_change_minor,
        {{ as_json_text({
            'items': 'moved_items.items',
            'proration_behavior': "'none'",
            'subscription': 'upgrades.subscription_id',
        }) }} as params,
        preconditions.precondition,
        {{ as_json_text({
            'as_of': date_text('upgrades.as_of'),
            'current_cost_minor': 'upgrades.current_cost_minor',
            'days_beyond_horizon': 'upgrades.days_beyond_horizon',
            'days_remaining': 'upgrades.days_remaining',
            'included_units': as_text('upgrades.included_units'),
            'next_cost_minor': 'upgrades.next_cost_minor',
            'next_price_id': 'upgrades.next_price_id',
            'period_end': time_text('upgrades.period_end'),
            'price_id': 'upgrades.price_id',
            'projected_quantity': as_text('upgrades.projected_quantity'),
            'projected_quantity_high': as_text('upgrades.projected_quantity_high'),
            'projected_quantity_low': as_text('upgrades.projected_quantity_low'),
            'projected_share': as_text('upgrades.projected_share'),
            'quantity_so_far': as_text('upgrades.quantity_so_far'),
            'used_share': as_text('upgrades.used_share'),
        }) }} as evidence,
        upgrades.kind as template,
        upgrades.words,
        upgrades.model_version,
        upgrades.expected_value_minor,
        least(upgrades.expected_value_minor, upgrades.value_at_smaller_difference_minor) as expected_value_low_minor,
        greatest(upgrades.expected_value_minor, upgrades.value_at_larger_difference_minor)
            as expected_value_high_minor,
        cast(upgrades.confidence as {{ double_type() }}) as confidence,
        cast(upgrades.projected_share as {{ double_type() }}) as urgency

    from upgrades
    inner join moved_items
        on
            upgrades.account_id = moved_items.account_id
            and upgrades.subscription_item_id = moved_items.upgrade_item_id
    inner join preconditions
        on
            upgrades.account_id = preconditions.account_id
            and upgrades.subscription_id = preconditions.subscription_id

)

select * from proposed
