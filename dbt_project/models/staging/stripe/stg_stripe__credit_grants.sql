{{ incremental_by_version('credit_grant_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'name': 'VARCHAR',
    'category': 'VARCHAR',
    'amount': {'monetary': {'currency': 'VARCHAR', 'value': 'BIGINT'}},
    'priority': 'INTEGER',
    'applicability_config': {'scope': {'price_type': 'VARCHAR', 'prices': [{'id': 'VARCHAR'}]}},
    'effective_at': 'BIGINT',
    'expires_at': 'BIGINT',
    'voided_at': 'BIGINT',
    'updated': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'credit_grants'), structure, 'credit_grant_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as credit_grant_id,
        {{ id_of(object.customer) }} as customer_id,

        -- text
        {{ object.name }} as credit_grant_name,
        {{ object.category }} as category,
        lower({{ object.amount.monetary.currency }}) as currency,
        {{ object.applicability_config.scope.price_type }} as scope_price_type,

        -- numbers: minor units; 0 is used up first, 100 last
        {{ object.amount.monetary.value }} as amount_minor,
        {{ object.priority }} as priority,

        -- lists
        {{ of_each(object.applicability_config.scope.prices, 'id') }} as scope_price_ids,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.effective_at) }} as effective_at,
        {{ from_epoch(object.expires_at) }} as expires_at,
        {{ from_epoch(object.voided_at) }} as voided_at,
        {{ from_epoch(object.updated) }} as updated_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
