{% set structure = {
    'country': 'VARCHAR',
    'default_currency': 'VARCHAR',
} %}

with

latest as ({{ latest_versions(source('stripe', 'accounts')) }}),

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

        -- text
        object.country,
        lower(object.default_currency) as default_currency,

        -- booleans
        livemode,
        is_deleted

    from unpacked

)

select * from renamed
