{{ incremental_by_version('subscription_item_id') }}

{% set structure = {
    'subscription': 'VARCHAR',
    'price': {
        'id': 'VARCHAR',
        'recurring': {'meter': 'VARCHAR', 'usage_type': 'VARCHAR'},
    },
    'quantity': 'BIGINT',
    'discounts': [{
        'id': 'VARCHAR',
        'start': 'BIGINT',
        'end': 'BIGINT',
        'source': {'coupon': 'VARCHAR'},
    }],
    'current_period_start': 'BIGINT',
    'current_period_end': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as (

    {{ latest_versions(
        source('stripe', 'subscription_items'), structure, 'subscription_item_id', parent='subscription_id'
    ) }}

),

renamed as (

    select
        -- ids
        account_id,
        id as subscription_item_id,
        coalesce({{ id_of(object.subscription) }}, parent_id) as subscription_id,
        {{ object.price.id }} as price_id,
        {{ object.price.recurring.meter }} as meter_id,

        -- text
        {{ object.price.recurring.usage_type }} as usage_type,

        -- numbers: absent on metered items
        {{ object.quantity }} as quantity,

        -- lists: discounts of the item alone
        {{ discounts_of(object.discounts) }} as discounts,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.current_period_start) }} as current_period_start,
        {{ from_epoch(object.current_period_end) }} as current_period_end,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
