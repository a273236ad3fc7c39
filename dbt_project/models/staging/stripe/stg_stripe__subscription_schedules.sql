{{ incremental_by_version('subscription_schedule_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'subscription': 'VARCHAR',
    'released_subscription': 'VARCHAR',
    'status': 'VARCHAR',
    'end_behavior': 'VARCHAR',
    'current_phase': {'start_date': 'BIGINT', 'end_date': 'BIGINT'},
    'phases': [{
        'start_date': 'BIGINT',
        'end_date': 'BIGINT',
        'proration_behavior': 'VARCHAR',
        'items': [{'price': 'VARCHAR', 'quantity': 'BIGINT'}],
    }],
    'canceled_at': 'BIGINT',
    'completed_at': 'BIGINT',
    'released_at': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'subscription_schedules'), structure, 'subscription_schedule_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as subscription_schedule_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.subscription) }} as subscription_id,
        {{ object.released_subscription }} as released_subscription_id,

        -- text
        {{ object.status }} as status,
        {{ object.end_behavior }} as end_behavior,

        -- lists: what is booked, in order
        {{ phases_of(object.phases) }} as phases,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.current_phase.start_date) }} as current_phase_start,
        {{ from_epoch(object.current_phase.end_date) }} as current_phase_end,
        {{ from_epoch(object.canceled_at) }} as canceled_at,
        {{ from_epoch(object.completed_at) }} as completed_at,
        {{ from_epoch(object.released_at) }} as released_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
