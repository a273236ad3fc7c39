{{ incremental_by_version('tax_rate_id') }}

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
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'tax_rates'), structure, 'tax_rate_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as tax_rate_id,

        -- text
        {{ object.display_name }} as tax_name,
        {{ object.tax_type }} as tax_type,
        {{ object.rate_type }} as rate_type,
        {{ object.jurisdiction }} as jurisdiction,
        {{ object.country }} as country,
        {{ object.state }} as state,
        lower({{ object.flat_amount.currency }}) as currency,

        -- numbers: percent as Stripe writes it (19 is nineteen per cent), amounts in minor units
        {{ cast_or_null(object.percentage, 'decimal(9, 6)') }} as percentage,
        {{ object.flat_amount.amount }} as flat_amount_minor,

        -- booleans
        coalesce({{ object.inclusive }}, false) as is_inclusive,
        coalesce({{ object.active }}, false) as is_active,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
