{{ incremental_by_version('invoice_payment_id') }}

{% set structure = {
    'invoice': 'VARCHAR',
    'status': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount_requested': 'BIGINT',
    'amount_paid': 'BIGINT',
    'payment': {'type': 'VARCHAR', 'payment_intent': 'VARCHAR', 'charge': 'VARCHAR', 'payment_record': 'VARCHAR'},
    'status_transitions': {'paid_at': 'BIGINT', 'canceled_at': 'BIGINT'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'invoice_payments'), structure, 'invoice_payment_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as invoice_payment_id,
        {{ id_of(object.invoice) }} as invoice_id,
        coalesce(
            {{ id_of(object.payment.payment_intent) }},
            {{ id_of(object.payment.charge) }},
            {{ id_of(object.payment.payment_record) }}
        ) as payment_id,

        -- text
        {{ object.status }} as status,
        {{ object.payment.type }} as payment_type,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.amount_requested }} as amount_requested_minor,
        coalesce({{ object.amount_paid }}, 0) as amount_paid_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.status_transitions.paid_at) }} as paid_at,
        {{ from_epoch(object.status_transitions.canceled_at) }} as canceled_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
