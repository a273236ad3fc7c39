{{ incremental_by_version('product_id') }}

{% set structure = {
    'name': 'VARCHAR',
    'active': 'BOOLEAN',
    'unit_label': 'VARCHAR',
    'tax_code': 'VARCHAR',
    'default_price': 'VARCHAR',
    'updated': 'BIGINT',
    'metadata': {'plan': 'VARCHAR', 'plan_rank': 'INTEGER'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'products'), structure, 'product_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as product_id,
        {{ id_of(object.default_price) }} as default_price_id,

        -- text
        {{ object.name }} as product_name,
        {{ object.unit_label }} as unit_label,
        {{ id_of(object.tax_code) }} as tax_code,
        {{ object.metadata.plan }} as plan,

        -- numbers
        {{ object.metadata.plan_rank }} as plan_rank,

        -- booleans
        coalesce({{ object.active }}, false) as is_active,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.updated) }} as updated_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
