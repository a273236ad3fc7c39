{% set structure = {
    'invoice': 'VARCHAR',
    'customer': 'VARCHAR',
    'number': 'VARCHAR',
    'status': 'VARCHAR',
    'type': 'VARCHAR',
    'reason': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'total': 'BIGINT',
    'pre_payment_amount': 'BIGINT',
    'post_payment_amount': 'BIGINT',
    'voided_at': 'BIGINT',
} %}

with

latest as ({{ latest_versions(source('stripe', 'credit_notes')) }}),

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
        id as credit_note_id,
        {{ id_of('object.invoice') }} as invoice_id,
        {{ id_of('object.customer') }} as customer_id,

        -- text
        object.number,
        object.status,
        object.type as credit_note_type,
        object.reason,
        lower(object.currency) as currency,

        -- numbers: minor units
        object.amount as amount_minor,
        object.total as total_minor,
        object.pre_payment_amount as pre_payment_amount_minor,
        object.post_payment_amount as post_payment_amount_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch('object.voided_at') }} as voided_at

    from unpacked

)

select * from renamed
