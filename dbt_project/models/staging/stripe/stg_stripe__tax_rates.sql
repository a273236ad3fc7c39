{% set structure = {
    'display_name': 'VARCHAR',
    'active': 'BOOLEAN',
    'inclusive': 'BOOLEAN',
    'rate_type': 'VARCHAR',
    'tax_type': 'VARCHAR',
    'percentage': 'VARCHAR',
    'flat_amount': {'amount': 'BIGINT', 'currency': 'VARCHAR'},
    'jurisdiction': 'VARCHAR',
    'country': 'VARCHAR',
    'state': 'VARCHAR',
} %}

with

latest as ({{ latest_versions(source('stripe', 'tax_rates'), structure) }}),

renamed as (

    select
        -- ids
        account_id,
        id as tax_rate_id,

        -- text
        object.display_name as tax_name,
        object.tax_type,
        object.rate_type,
        object.jurisdiction,
        object.country,
        object.state,
        lower(object.flat_amount.currency) as currency,

        -- numbers: percent as Stripe writes it (19 is nineteen per cent), amounts in minor units
        try_cast(object.percentage as decimal(9, 6)) as percentage,
        object.flat_amount.amount as flat_amount_minor,

        -- booleans
        coalesce(object.inclusive, false) as is_inclusive,
        coalesce(object.active, false) as is_active,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from latest

)

select * from renamed
