{{ incremental_by_version('event_id') }}

{% set structure = {
    'type': 'VARCHAR',
    'api_version': 'VARCHAR',
    'request': {'id': 'VARCHAR', 'idempotency_key': 'VARCHAR'},
    'data': {'object': {'id': 'VARCHAR', 'object': 'VARCHAR'}},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'events'), structure, 'event_id', has_tombstones=false) }}),

renamed as (

    select
        -- ids
        account_id,
        id as event_id,
        {{ object.data.object.id }} as object_id,
        {{ object.request.id }} as request_id,
        {{ object.request.idempotency_key }} as idempotency_key,

        -- text
        {{ object.type }} as event_type,
        {{ object.data.object.object }} as object_kind,
        {{ object.api_version }} as api_version,

        -- booleans
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
