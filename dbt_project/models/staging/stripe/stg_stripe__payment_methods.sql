{{ incremental_by_version('payment_method_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'type': 'VARCHAR',
    'card': {
        'brand': 'VARCHAR',
        'funding': 'VARCHAR',
        'country': 'VARCHAR',
        'exp_month': 'INTEGER',
        'exp_year': 'INTEGER',
    },
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'payment_methods'), structure, 'payment_method_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as payment_method_id,
        {{ id_of(object.customer) }} as customer_id,

        -- text: nothing that names the holder or the card
        {{ object.type }} as payment_method_type,
        {{ object.card.brand }} as card_brand,
        {{ object.card.funding }} as card_funding,
        {{ object.card.country }} as card_country,

        -- numbers: the last month in which the card is good
        {{ object.card.exp_month }} as card_expiry_month,
        {{ object.card.exp_year }} as card_expiry_year,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
