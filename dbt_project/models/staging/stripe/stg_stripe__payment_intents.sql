{{ incremental_by_version('payment_intent_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'payment_method': 'VARCHAR',
    'latest_charge': 'VARCHAR',
    'status': 'VARCHAR',
    'capture_method': 'VARCHAR',
    'cancellation_reason': 'VARCHAR',
    'last_payment_error': {'type': 'VARCHAR', 'code': 'VARCHAR', 'decline_code': 'VARCHAR'},
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'amount_received': 'BIGINT',
    'amount_capturable': 'BIGINT',
    'canceled_at': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'payment_intents'), structure, 'payment_intent_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as payment_intent_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.payment_method) }} as payment_method_id,
        {{ id_of(object.latest_charge) }} as latest_charge_id,

        -- text
        {{ object.status }} as status,
        {{ object.capture_method }} as capture_method,
        {{ object.cancellation_reason }} as cancellation_reason,
        {{ object.last_payment_error.type }} as last_error_type,
        {{ object.last_payment_error.code }} as last_error_code,
        {{ object.last_payment_error.decline_code }} as last_decline_code,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.amount }} as amount_minor,
        coalesce({{ object.amount_received }}, 0) as amount_received_minor,
        coalesce({{ object.amount_capturable }}, 0) as amount_capturable_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.canceled_at) }} as canceled_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
