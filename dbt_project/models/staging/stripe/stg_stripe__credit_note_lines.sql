{{ incremental_by_version('credit_note_line_id') }}

{% set structure = {
    'invoice_line_item': 'VARCHAR',
    'description': 'VARCHAR',
    'type': 'VARCHAR',
    'amount': 'BIGINT',
    'discount_amount': 'BIGINT',
    'quantity': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as (

    {{ latest_versions(
        source('stripe', 'credit_note_lines'), structure, 'credit_note_line_id', parent='credit_note_id'
    ) }}

),

renamed as (

    select
        -- ids
        account_id,
        id as credit_note_line_id,
        parent_id as credit_note_id,
        {{ object.invoice_line_item }} as invoice_line_id,

        -- text
        {{ object.description }} as description,
        {{ object.type }} as line_type,

        -- numbers: minor units
        {{ object.amount }} as amount_minor,
        coalesce({{ object.discount_amount }}, 0) as discount_minor,
        {{ object.quantity }} as quantity,

        -- booleans
        is_deleted,
        livemode,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
