{{ incremental_by_version('invoice_item_id') }}

{% set structure = {
    'customer': 'VARCHAR',
    'invoice': 'VARCHAR',
    'parent': {'subscription_details': {'subscription': 'VARCHAR', 'subscription_item': 'VARCHAR'}},
    'pricing': {'price_details': {'price': 'VARCHAR', 'product': 'VARCHAR'}},
    'description': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount': 'BIGINT',
    'net_amount': 'BIGINT',
    'quantity': 'VARCHAR',
    'quantity_decimal': 'VARCHAR',
    'proration': 'BOOLEAN',
    'discountable': 'BOOLEAN',
    'period': {'start': 'BIGINT', 'end': 'BIGINT'},
    'date': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'invoice_items'), structure, 'invoice_item_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as invoice_item_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.invoice) }} as invoice_id,
        {{ id_of(object.parent.subscription_details.subscription) }} as subscription_id,
        {{ object.parent.subscription_details.subscription_item }} as subscription_item_id,
        {{ id_of(object.pricing.price_details.price) }} as price_id,
        {{ id_of(object.pricing.price_details.product) }} as product_id,

        -- text
        {{ object.description }} as description,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units, the net amount less discounts; the quantity whole or with decimals
        {{ object.amount }} as amount_minor,
        {{ object.net_amount }} as net_amount_minor,
        coalesce(
            {{ cast_or_null(object.quantity_decimal, 'decimal(18, 6)') }},
            {{ cast_or_null(object.quantity, 'decimal(18, 6)') }}
        ) as quantity,

        -- booleans: pending until an invoice takes it
        {{ object.invoice }} is null and not is_deleted as is_pending,
        coalesce({{ object.proration }}, false) as is_proration,
        coalesce({{ object.discountable }}, false) as is_discountable,
        is_deleted,
        livemode,

        -- times in UTC: an invoice item has a date in place of created
        coalesce({{ from_epoch('created') }}, {{ from_epoch(object.date) }}) as created_at,
        {{ from_epoch(object.period.start) }} as period_start,
        {{ from_epoch(object.period.end) }} as period_end,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
