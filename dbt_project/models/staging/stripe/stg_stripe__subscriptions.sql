{% set structure = {
    'customer': 'VARCHAR',
    'status': 'VARCHAR',
    'currency': 'VARCHAR',
    'start_date': 'BIGINT',
    'canceled_at': 'BIGINT',
    'ended_at': 'BIGINT',
    'cancel_at': 'BIGINT',
    'trial_end': 'BIGINT',
    'cancel_at_period_end': 'BOOLEAN',
    'cancellation_details': {'reason': 'VARCHAR', 'feedback': 'VARCHAR'},
    'discounts': [{
        'id': 'VARCHAR',
        'start': 'BIGINT',
        'end': 'BIGINT',
        'source': {'coupon': 'VARCHAR'},
    }],
} %}

with

latest as ({{ latest_versions(source('stripe', 'subscriptions')) }}),

unpacked as (

    select
        account_id,
        id,
        created,
        is_deleted,
        livemode,
        {{ unpack('payload', structure) }} as object
    from latest

),

renamed as (

    select
        -- ids
        account_id,
        id as subscription_id,
        {{ id_of('object.customer') }} as customer_id,

        -- text
        object.status,
        lower(object.currency) as currency,
        object.cancellation_details.reason as cancellation_reason,
        object.cancellation_details.feedback as cancellation_feedback,

        -- lists
        object.discounts,

        -- booleans
        coalesce(object.cancel_at_period_end, false) as cancel_at_period_end,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch('coalesce(object.start_date, created)') }} as started_at,
        {{ from_epoch('object.canceled_at') }} as canceled_at,
        {{ from_epoch('object.ended_at') }} as ended_at,
        {{ from_epoch('object.cancel_at') }} as cancel_at,
        {{ from_epoch('object.trial_end') }} as trial_ends_at

    from unpacked

)

select * from renamed
