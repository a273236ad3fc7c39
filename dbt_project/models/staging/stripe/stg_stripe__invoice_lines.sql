{{ incremental_by_version('invoice_line_id') }}

{% set structure = {
    'subscription': 'VARCHAR',
    'currency': 'VARCHAR',
    'description': 'VARCHAR',
    'amount': 'BIGINT',
    'quantity': 'VARCHAR',
    'quantity_decimal': 'VARCHAR',
    'discount_amounts': [{'amount': 'BIGINT', 'discount': 'VARCHAR'}],
    'taxes': [{'amount': 'BIGINT'}],
    'pretax_credit_amounts': [{'amount': 'BIGINT', 'type': 'VARCHAR'}],
    'period': {'start': 'BIGINT', 'end': 'BIGINT'},
    'pricing': {'unit_amount_decimal': 'VARCHAR', 'price_details': {'price': 'VARCHAR', 'product': 'VARCHAR'}},
    'parent': {
        'type': 'VARCHAR',
        'subscription_item_details': {
            'subscription': 'VARCHAR',
            'subscription_item': 'VARCHAR',
            'proration': 'BOOLEAN',
        },
        'invoice_item_details': {
            'invoice_item': 'VARCHAR',
            'subscription': 'VARCHAR',
            'proration': 'BOOLEAN',
        },
    },
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'invoice_lines'), structure, 'invoice_line_id', parent='invoice_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as invoice_line_id,
        parent_id as invoice_id,
        coalesce(
            {{ object.subscription }},
            {{ object.parent.subscription_item_details.subscription }},
            {{ object.parent.invoice_item_details.subscription }}
        ) as subscription_id,
        {{ object.parent.subscription_item_details.subscription_item }} as subscription_item_id,
        {{ object.parent.invoice_item_details.invoice_item }} as invoice_item_id,
        {{ id_of(object.pricing.price_details.price) }} as price_id,
        {{ id_of(object.pricing.price_details.product) }} as product_id,

        -- text
        lower({{ object.currency }}) as currency,
        {{ object.description }} as description,

        -- numbers: minor units; the quantity Stripe billed, whole or with decimals
        {{ object.amount }} as amount_minor,
        {{ sum_of(object.discount_amounts) }} as discount_minor,
        -- discounts are listed among the pretax credits once more
        {{ sum_of(object.pretax_credit_amounts, without={'type': 'discount'}) }} as pretax_credit_minor,
        {{ sum_of(object.taxes) }} as tax_minor,
        coalesce(
            {{ cast_or_null(object.quantity_decimal, 'decimal(18, 6)') }},
            {{ cast_or_null(object.quantity, 'decimal(18, 6)') }}
        ) as quantity,
        {{ cast_or_null(object.pricing.unit_amount_decimal, 'decimal(24, 12)') }} as unit_amount_decimal,

        -- lists
        {{ object.discount_amounts }} as discount_amounts,

        -- booleans
        coalesce(
            {{ object.parent.subscription_item_details.proration }},
            {{ object.parent.invoice_item_details.proration }},
            false
        ) as is_proration,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch(object.period.start) }} as period_start,
        {{ from_epoch(object.period.end) }} as period_end,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
