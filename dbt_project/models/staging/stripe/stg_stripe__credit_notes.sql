{{ incremental_by_version('credit_note_id') }}

{% set structure = {
    'invoice': 'VARCHAR',
    'customer': 'VARCHAR',
    'number': 'VARCHAR',
    'status': 'VARCHAR',
    'type': 'VARCHAR',
    'reason': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'subtotal': 'BIGINT',
    'discount_amount': 'BIGINT',
    'out_of_band_amount': 'BIGINT',
    'customer_balance_transaction': 'VARCHAR',
    'total': 'BIGINT',
    'pre_payment_amount': 'BIGINT',
    'post_payment_amount': 'BIGINT',
    'voided_at': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'credit_notes'), structure, 'credit_note_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as credit_note_id,
        {{ id_of(object.invoice) }} as invoice_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.customer_balance_transaction) }} as customer_balance_transaction_id,

        -- text
        {{ object.number }} as number,
        {{ object.status }} as status,
        {{ object.type }} as credit_note_type,
        {{ object.reason }} as reason,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.subtotal }} as subtotal_minor,
        coalesce({{ object.discount_amount }}, 0) as discount_minor,
        {{ object.amount }} as amount_minor,
        {{ object.total }} as total_minor,
        {{ object.pre_payment_amount }} as pre_payment_amount_minor,
        {{ object.post_payment_amount }} as post_payment_amount_minor,
        coalesce({{ object.out_of_band_amount }}, 0) as out_of_band_amount_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.voided_at) }} as voided_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
