{{ incremental_by_version('customer_id') }}

{% set structure = {
    'name': 'VARCHAR',
    'email': 'VARCHAR',
    'currency': 'VARCHAR',
    'balance': 'BIGINT',
    'delinquent': 'BOOLEAN',
    'tax_exempt': 'VARCHAR',
    'preferred_locales': ['VARCHAR'],
    'address': {'country': 'VARCHAR'},
    'invoice_settings': {'default_payment_method': 'VARCHAR'},
    'metadata': {'segment': 'VARCHAR', 'tier': 'VARCHAR'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'customers'), structure, 'customer_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as customer_id,
        {{ id_of(object.invoice_settings.default_payment_method) }} as default_payment_method_id,

        -- text
        {{ object.name }} as name,
        {{ object.email }} as email,
        lower({{ object.currency }}) as currency,
        {{ object.address.country }} as country,
        {{ object.tax_exempt }} as tax_exempt,
        {{ first_of(object.preferred_locales) }} as preferred_locale,
        {{ object.metadata.segment }} as segment,
        {{ object.metadata.tier }} as customer_tier,

        -- numbers: minor units, negative when the customer is in credit
        coalesce({{ object.balance }}, 0) as balance_minor,

        -- booleans
        coalesce({{ object.delinquent }}, false) as is_delinquent,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
