{{ incremental_by_version('quote_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'subscription': 'VARCHAR',
    'subscription_schedule': 'VARCHAR',
    'invoice': 'VARCHAR',
    'from_quote': {'quote': 'VARCHAR'},
    'number': 'VARCHAR',
    'status': 'VARCHAR',
    'collection_method': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount_subtotal': 'BIGINT',
    'amount_total': 'BIGINT',
    'total_details': {'amount_discount': 'BIGINT', 'amount_tax': 'BIGINT'},
    'computed': {
        'recurring': {'amount_total': 'BIGINT', 'interval': 'VARCHAR', 'interval_count': 'INTEGER'},
        'upfront': {'amount_total': 'BIGINT'},
    },
    'expires_at': 'BIGINT',
    'status_transitions': {'finalized_at': 'BIGINT', 'accepted_at': 'BIGINT', 'canceled_at': 'BIGINT'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'quotes'), structure, 'quote_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as quote_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.subscription) }} as subscription_id,
        {{ id_of(object.subscription_schedule) }} as subscription_schedule_id,
        {{ id_of(object.invoice) }} as invoice_id,
        {{ id_of(object.from_quote.quote) }} as from_quote_id,

        -- text
        {{ object.number }} as number,
        {{ object.status }} as status,
        {{ object.collection_method }} as collection_method,
        lower({{ object.currency }}) as currency,
        {{ object.computed.recurring.interval }} as billing_interval,

        -- numbers: minor units; what recurs is per billing interval
        {{ object.amount_subtotal }} as subtotal_minor,
        coalesce({{ object.total_details.amount_discount }}, 0) as discount_minor,
        coalesce({{ object.total_details.amount_tax }}, 0) as tax_minor,
        {{ object.amount_total }} as total_minor,
        {{ object.computed.upfront.amount_total }} as upfront_total_minor,
        {{ object.computed.recurring.amount_total }} as recurring_total_minor,
        {{ object.computed.recurring.interval_count }} as interval_count,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.expires_at) }} as expires_at,
        {{ from_epoch(object.status_transitions.finalized_at) }} as finalized_at,
        {{ from_epoch(object.status_transitions.accepted_at) }} as accepted_at,
        {{ from_epoch(object.status_transitions.canceled_at) }} as canceled_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
