{{ incremental_by_version('refund_id') }}

{% set structure = {
    'charge': 'VARCHAR',
    'payment_intent': 'VARCHAR',
    'customer': 'VARCHAR',
    'balance_transaction': 'VARCHAR',
    'status': 'VARCHAR',
    'reason': 'VARCHAR',
    'failure_reason': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'refunds'), structure, 'refund_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as refund_id,
        {{ id_of(object.charge) }} as charge_id,
        {{ id_of(object.payment_intent) }} as payment_intent_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.balance_transaction) }} as balance_transaction_id,

        -- text
        {{ object.status }} as status,
        {{ object.reason }} as reason,
        {{ object.failure_reason }} as failure_reason,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.amount }} as amount_minor,

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
