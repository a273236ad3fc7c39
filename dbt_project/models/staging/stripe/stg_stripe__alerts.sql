{{ incremental_by_version('alert_id') }}

{% set structure = {
    'title': 'VARCHAR',
    'alert_type': 'VARCHAR',
    'status': 'VARCHAR',
    'usage_threshold': {
        'meter': 'VARCHAR',
        'gte': 'VARCHAR',
        'recurrence': 'VARCHAR',
        'filters': [{'type': 'VARCHAR', 'customer': 'VARCHAR'}],
    },
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'alerts'), structure, 'alert_id') }}),

renamed as (

    select
        -- ids: of every customer when none is named
        account_id,
        id as alert_id,
        {{ id_of(object.usage_threshold.meter) }} as meter_id,
        {{ id_of(of_first(object.usage_threshold.filters, 'customer')) }} as customer_id,

        -- text
        {{ object.title }} as alert_title,
        {{ object.alert_type }} as alert_type,
        {{ object.status }} as status,
        {{ object.usage_threshold.recurrence }} as recurrence,

        -- numbers: in the meter's unit
        {{ cast_or_null(object.usage_threshold.gte, 'decimal(18, 6)') }} as threshold,

        -- booleans
        is_deleted,
        livemode,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
