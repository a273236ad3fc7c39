{% set structure = {
    'title': 'VARCHAR',
    'alert_type': 'VARCHAR',
    'status': 'VARCHAR',
    'usage_threshold': {
        'meter': 'VARCHAR',
        'gte': 'VARCHAR',
        'recurrence': 'VARCHAR',
        'filters': [{'type': 'VARCHAR', 'customer': 'VARCHAR'}],
    },
} %}

with

latest as ({{ latest_versions(source('stripe', 'alerts'), structure) }}),

renamed as (

    select
        -- ids: of every customer when none is named
        account_id,
        id as alert_id,
        {{ id_of('object.usage_threshold.meter') }} as meter_id,
        {{ id_of('object.usage_threshold.filters[1].customer') }} as customer_id,

        -- text
        object.title as alert_title,
        object.alert_type,
        object.status,
        object.usage_threshold.recurrence,

        -- numbers: in the meter's unit
        try_cast(object.usage_threshold.gte as decimal(18, 6)) as threshold,

        -- booleans
        is_deleted,
        livemode

    from latest

)

select * from renamed
