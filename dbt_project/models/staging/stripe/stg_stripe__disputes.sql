{{ incremental_by_version('dispute_id') }}

{% set structure = {
    'charge': 'VARCHAR',
    'payment_intent': 'VARCHAR',
    'status': 'VARCHAR',
    'reason': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'is_charge_refundable': 'BOOLEAN',
    'evidence_details': {
        'due_by': 'BIGINT',
        'has_evidence': 'BOOLEAN',
        'past_due': 'BOOLEAN',
        'submission_count': 'INTEGER',
    },
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'disputes'), structure, 'dispute_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as dispute_id,
        {{ id_of(object.charge) }} as charge_id,
        {{ id_of(object.payment_intent) }} as payment_intent_id,

        -- text
        {{ object.status }} as status,
        {{ object.reason }} as reason,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.amount }} as amount_minor,
        coalesce({{ object.evidence_details.submission_count }}, 0) as submission_count,

        -- booleans
        coalesce({{ object.is_charge_refundable }}, false) as is_charge_refundable,
        coalesce({{ object.evidence_details.has_evidence }}, false) as has_evidence,
        coalesce({{ object.evidence_details.past_due }}, false) as is_past_due,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.evidence_details.due_by) }} as evidence_due_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
