{{ incremental_by_version('subscription_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'status': 'VARCHAR',
    'currency': 'VARCHAR',
    'start_date': 'BIGINT',
    'canceled_at': 'BIGINT',
    'ended_at': 'BIGINT',
    'cancel_at': 'BIGINT',
    'trial_start': 'BIGINT',
    'trial_end': 'BIGINT',
    'billing_cycle_anchor': 'BIGINT',
    'collection_method': 'VARCHAR',
    'default_payment_method': 'VARCHAR',
    'latest_invoice': 'VARCHAR',
    'schedule': 'VARCHAR',
    'pause_collection': {'behavior': 'VARCHAR', 'resumes_at': 'BIGINT'},
    'cancel_at_period_end': 'BOOLEAN',
    'cancellation_details': {'reason': 'VARCHAR', 'feedback': 'VARCHAR'},
    'discounts': [{
        'id': 'VARCHAR',
        'start': 'BIGINT',
        'end': 'BIGINT',
        'source': {'coupon': 'VARCHAR'},
    }],
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'subscriptions'), structure, 'subscription_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as subscription_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.schedule) }} as subscription_schedule_id,
        {{ id_of(object.latest_invoice) }} as latest_invoice_id,
        {{ id_of(object.default_payment_method) }} as default_payment_method_id,

        -- text
        {{ object.status }} as status,
        lower({{ object.currency }}) as currency,
        {{ object.collection_method }} as collection_method,
        {{ object.pause_collection.behavior }} as pause_behavior,
        {{ object.cancellation_details.reason }} as cancellation_reason,
        {{ object.cancellation_details.feedback }} as cancellation_feedback,

        -- lists
        {{ discounts_of(object.discounts) }} as discounts,

        -- booleans
        coalesce({{ object.cancel_at_period_end }}, false) as cancel_at_period_end,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        coalesce({{ from_epoch(object.start_date) }}, {{ from_epoch('created') }}) as started_at,
        {{ from_epoch(object.canceled_at) }} as canceled_at,
        {{ from_epoch(object.ended_at) }} as ended_at,
        {{ from_epoch(object.cancel_at) }} as cancel_at,
        {{ from_epoch(object.trial_start) }} as trial_started_at,
        {{ from_epoch(object.trial_end) }} as trial_ends_at,
        {{ from_epoch(object.billing_cycle_anchor) }} as billing_cycle_anchor_at,
        {{ from_epoch(object.pause_collection.resumes_at) }} as resumes_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
