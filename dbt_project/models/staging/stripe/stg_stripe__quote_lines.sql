{{ incremental_by_version('quote_line_id') }}

{% set structure = {
    'price': {'id': 'VARCHAR', 'product': 'VARCHAR'},
    'description': 'VARCHAR',
    'currency': 'VARCHAR',
    'amount_subtotal': 'BIGINT',
    'amount_discount': 'BIGINT',
    'amount_tax': 'BIGINT',
    'amount_total': 'BIGINT',
    'quantity': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'quote_lines'), structure, 'quote_line_id', parent='quote_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as quote_line_id,
        parent_id as quote_id,
        {{ object.price.id }} as price_id,
        {{ id_of(object.price.product) }} as product_id,

        -- text
        {{ object.description }} as description,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units; no quantity on metered prices
        {{ object.amount_subtotal }} as subtotal_minor,
        coalesce({{ object.amount_discount }}, 0) as discount_minor,
        coalesce({{ object.amount_tax }}, 0) as tax_minor,
        {{ object.amount_total }} as total_minor,
        {{ object.quantity }} as quantity,

        -- booleans
        is_deleted,
        livemode,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
