{% set structure = {
    'name': 'VARCHAR',
    'email': 'VARCHAR',
    'currency': 'VARCHAR',
    'balance': 'BIGINT',
    'delinquent': 'BOOLEAN',
    'tax_exempt': 'VARCHAR',
    'address': {'country': 'VARCHAR'},
    'invoice_settings': {'default_payment_method': 'VARCHAR'},
    'metadata': {'segment': 'VARCHAR', 'tier': 'VARCHAR'},
} %}

with

latest as ({{ latest_versions(source('stripe', 'customers'), structure) }}),

renamed as (

    select
        -- ids
        account_id,
        id as customer_id,
        {{ id_of('object.invoice_settings.default_payment_method') }} as default_payment_method_id,

        -- text
        object.name,
        object.email,
        lower(object.currency) as currency,
        object.address.country,
        object.tax_exempt,
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

    from latest

)

select * from renamed
