{{ incremental_by_version('charge_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'payment_intent': 'VARCHAR',
    'payment_method': 'VARCHAR',
    'balance_transaction': 'VARCHAR',
    'status': 'VARCHAR',
    'payment_method_details': {'type': 'VARCHAR'},
    'failure_code': 'VARCHAR',
    'outcome': {
        'type': 'VARCHAR',
        'reason': 'VARCHAR',
        'risk_level': 'VARCHAR',
        'network_decline_code': 'VARCHAR',
        'advice_code': 'VARCHAR',
    },
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'amount_captured': 'BIGINT',
    'amount_refunded': 'BIGINT',
    'paid': 'BOOLEAN',
    'captured': 'BOOLEAN',
    'refunded': 'BOOLEAN',
    'disputed': 'BOOLEAN',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'charges'), structure, 'charge_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as charge_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.payment_intent) }} as payment_intent_id,
        {{ object.payment_method }} as payment_method_id,
        {{ id_of(object.balance_transaction) }} as balance_transaction_id,

        -- text
        {{ object.status }} as status,
        {{ object.payment_method_details.type }} as payment_method_type,
        {{ object.failure_code }} as failure_code,
        {{ object.outcome.type }} as outcome_type,
        {{ object.outcome.reason }} as outcome_reason,
        {{ object.outcome.risk_level }} as risk_level,
        {{ object.outcome.network_decline_code }} as network_decline_code,
        {{ object.outcome.advice_code }} as advice_code,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.amount }} as amount_minor,
        coalesce({{ object.amount_captured }}, 0) as amount_captured_minor,
        coalesce({{ object.amount_refunded }}, 0) as amount_refunded_minor,

        -- booleans
        coalesce({{ object.paid }}, false) as is_paid,
        coalesce({{ object.captured }}, false) as is_captured,
        coalesce({{ object.refunded }}, false) as is_refunded,
        coalesce({{ object.disputed }}, false) as is_disputed,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
