{{ incremental_by_version('price_id') }}

{% set structure = {
    'product': 'VARCHAR',
    'active': 'BOOLEAN',
    'currency': 'VARCHAR',
    'type': 'VARCHAR',
    'billing_scheme': 'VARCHAR',
    'unit_amount_decimal': 'VARCHAR',
    'tiers_mode': 'VARCHAR',
    'tiers': [{
        'up_to': 'BIGINT',
        'unit_amount': 'VARCHAR',
        'unit_amount_decimal': 'VARCHAR',
        'flat_amount': 'BIGINT',
        'flat_amount_decimal': 'VARCHAR',
    }],
    'transform_quantity': {'divide_by': 'BIGINT', 'round': 'VARCHAR'},
    'recurring': {
        'interval': 'VARCHAR',
        'interval_count': 'INTEGER',
        'usage_type': 'VARCHAR',
        'meter': 'VARCHAR',
    },
    'tax_behavior': 'VARCHAR',
    'currency_options': 'MAP(VARCHAR, STRUCT('
        ~ 'unit_amount_decimal VARCHAR, tax_behavior VARCHAR, tiers STRUCT(flat_amount BIGINT, '
        ~ 'flat_amount_decimal VARCHAR, unit_amount VARCHAR, unit_amount_decimal VARCHAR, up_to BIGINT)[]))',
    'lookup_key': 'VARCHAR',
    'nickname': 'VARCHAR',
    'metadata': {'experiment': 'VARCHAR', 'variant': 'VARCHAR'},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'prices'), structure, 'price_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as price_id,
        {{ id_of(object.product) }} as product_id,
        {{ object.recurring.meter }} as meter_id,

        -- text
        lower({{ object.currency }}) as currency,
        {{ object.type }} as price_type,
        {{ object.billing_scheme }} as billing_scheme,
        {{ object.tiers_mode }} as tiers_mode,
        {{ object.recurring.usage_type }} as usage_type,
        {{ object.recurring.interval }} as billing_interval,
        {{ object.transform_quantity.round }} as package_rounding,
        {{ object.tax_behavior }} as tax_behavior,
        {{ object.lookup_key }} as lookup_key,
        {{ object.nickname }} as nickname,
        {{ object.metadata.experiment }} as experiment_id,
        {{ object.metadata.variant }} as experiment_variant,

        -- numbers: minor units for one, up to 12 decimal places
        {{ cast_or_null(object.unit_amount_decimal, 'decimal(24, 12)') }} as unit_amount_decimal,
        {{ object.recurring.interval_count }} as interval_count,
        {{ object.transform_quantity.divide_by }} as package_size,

        -- lists: currency_options maps each further currency to its terms, where it has its own
        {{ object.tiers }} as tiers,
        {{ object.currency_options }} as currency_options,

        -- booleans
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
