{{ incremental_by_version('balance_transaction_id') }}

{% set structure = {
    'source': 'VARCHAR',
    'type': 'VARCHAR',
    'reporting_category': 'VARCHAR',
    'balance_type': 'VARCHAR',
    'status': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'fee': 'BIGINT',
    'net': 'BIGINT',
    'exchange_rate': 'VARCHAR',
    'available_on': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'balance_transactions'), structure, 'balance_transaction_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as balance_transaction_id,
        {{ id_of(object.source) }} as source_id,

        -- text
        {{ object.type }} as transaction_type,
        {{ object.reporting_category }} as reporting_category,
        {{ object.balance_type }} as balance_type,
        {{ object.status }} as status,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units, net is amount less fee; currency units for one of the source's
        {{ object.amount }} as amount_minor,
        coalesce({{ object.fee }}, 0) as fee_minor,
        {{ object.net }} as net_minor,
        {{ cast_or_null(object.exchange_rate, 'decimal(24, 12)') }} as exchange_rate,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.available_on) }} as available_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
