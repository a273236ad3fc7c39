{{ incremental_by_version('meter_id') }}

{% set structure = {
    'display_name': 'VARCHAR',
    'event_name': 'VARCHAR',
    'status': 'VARCHAR',
    'status_transitions': {'deactivated_at': 'BIGINT'},
    'default_aggregation': {'formula': 'VARCHAR'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'meters'), structure, 'meter_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as meter_id,

        -- text
        {{ object.display_name }} as meter_name,
        {{ object.event_name }} as meter_event_name,
        {{ object.status }} as status,
        {{ object.default_aggregation.formula }} as aggregation_formula,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.status_transitions.deactivated_at) }} as deactivated_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
