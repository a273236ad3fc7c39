{% set structure = {
    'type': 'VARCHAR',
    'api_version': 'VARCHAR',
    'request': {'id': 'VARCHAR', 'idempotency_key': 'VARCHAR'},
    'data': {'object': {'id': 'VARCHAR', 'object': 'VARCHAR'}},
} %}

with

latest as ({{ latest_versions(source('stripe', 'events'), structure) }}),

renamed as (

    select
        -- ids
        account_id,
        id as event_id,
        object.data.object.id as object_id,
        object.request.id as request_id,
        object.request.idempotency_key,

        -- text
        object.type as event_type,
        object.data.object.object as object_kind,
        object.api_version,

        -- booleans
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from latest

)

select * from renamed
