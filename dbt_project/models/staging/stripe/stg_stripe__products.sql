{% set structure = {
    'name': 'VARCHAR',
    'active': 'BOOLEAN',
    'unit_label': 'VARCHAR',
    'metadata': {'plan': 'VARCHAR', 'plan_rank': 'INTEGER'},
} %}

with

latest as ({{ latest_versions(source('stripe', 'products')) }}),

unpacked as (

    select
        account_id,
        id,
        created,
        is_deleted,
        livemode,
        {{ unpack('payload', structure) }} as object
    from latest

),

renamed as (

    select
        -- ids
        account_id,
        id as product_id,

        -- text
        object.name as product_name,
        object.unit_label,
        object.metadata.plan,

        -- numbers
        object.metadata.plan_rank,

        -- booleans
        coalesce(object.active, false) as is_active,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from unpacked

)

select * from renamed
