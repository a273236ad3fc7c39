{% set structure = {
    'name': 'VARCHAR',
    'email': 'VARCHAR',
    'currency': 'VARCHAR',
    'balance': 'BIGINT',
    'delinquent': 'BOOLEAN',
    'metadata': {'segment': 'VARCHAR', 'tier': 'VARCHAR'},
} %}

with

latest as ({{ latest_versions(source('stripe', 'customers')) }}),

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
        id as customer_id,

        -- text
        object.name,
        object.email,
        lower(object.currency) as currency,
        object.metadata.segment,
        object.metadata.tier as customer_tier,

        -- numbers: minor units, negative when the customer is in credit
        coalesce(object.balance, 0) as balance_minor,

        -- booleans
        coalesce(object.delinquent, false) as is_delinquent,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from unpacked

)

select * from renamed
