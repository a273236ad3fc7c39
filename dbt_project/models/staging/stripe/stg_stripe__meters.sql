{% set structure = {
    'display_name': 'VARCHAR',
    'event_name': 'VARCHAR',
    'status': 'VARCHAR',
    'status_transitions': {'deactivated_at': 'BIGINT'},
    'default_aggregation': {'formula': 'VARCHAR'},
} %}

with

latest as ({{ latest_versions(source('stripe', 'meters'), structure) }}),

renamed as (

    select
        -- ids
        account_id,
        id as meter_id,

        -- text
        object.display_name as meter_name,
        object.event_name as meter_event_name,
        object.status,
        object.default_aggregation.formula as aggregation_formula,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch('object.status_transitions.deactivated_at') }} as deactivated_at

    from latest

)

select * from renamed
