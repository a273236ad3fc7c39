{% set structure = {
    'country': 'VARCHAR',
    'default_currency': 'VARCHAR',
} %}

with

latest as ({{ latest_versions(source('stripe', 'accounts'), structure) }}),

renamed as (

    select
        -- ids
        account_id,

        -- text
        object.country,
        lower(object.default_currency) as default_currency,

        -- booleans
        livemode,
        is_deleted

    from latest

)

select * from renamed
