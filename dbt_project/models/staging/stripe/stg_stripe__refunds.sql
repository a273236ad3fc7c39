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

with

latest as ({{ latest_versions(source('stripe', 'refunds'), structure) }}),

renamed as (

    select
        -- ids
        account_id,
        id as refund_id,
        {{ id_of('object.charge') }} as charge_id,
        {{ id_of('object.payment_intent') }} as payment_intent_id,
        {{ id_of('object.customer') }} as customer_id,
        {{ id_of('object.balance_transaction') }} as balance_transaction_id,

        -- text
        object.status,
        object.reason,
        object.failure_reason,
        lower(object.currency) as currency,

        -- numbers: minor units
        object.amount as amount_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from latest

)

select * from renamed
