{{ incremental_by_version('balance_transaction_id') }}

{% set structure = {
    'type': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'ending_balance': 'BIGINT',
    'invoice': 'VARCHAR',
    'credit_note': 'VARCHAR',
    'description': 'VARCHAR',
} %}
{% set object = fields(structure) %}

with

latest as (

    {{ latest_versions(
        source('stripe', 'customer_balance_transactions'), structure, 'balance_transaction_id', parent='customer_id'
    ) }}

),

renamed as (

    select
        -- ids
        account_id,
        id as balance_transaction_id,
        parent_id as customer_id,
        {{ id_of(object.invoice) }} as invoice_id,
        {{ id_of(object.credit_note) }} as credit_note_id,

        -- text
        {{ object.type }} as transaction_type,
        lower({{ object.currency }}) as currency,
        {{ object.description }} as description,

        -- numbers: minor units, negative credits the customer
        {{ object.amount }} as amount_minor,
        {{ object.ending_balance }} as ending_balance_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
