{{ incremental_by_version('account_id') }}

{% set structure = {
    'country': 'VARCHAR',
    'default_currency': 'VARCHAR',
    'settings': {'dashboard': {'timezone': 'VARCHAR'}},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'accounts'), structure, 'account_id') }}),

renamed as (

    select
        -- ids
        account_id,

        -- text
        {{ object.country }} as country,
        lower({{ object.default_currency }}) as default_currency,
        {{ object.settings.dashboard.timezone }} as time_zone,

        -- booleans
        livemode,
        is_deleted,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
