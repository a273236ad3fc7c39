{% set structure = {
    'customer': 'VARCHAR',
    'number': 'VARCHAR',
    'status': 'VARCHAR',
    'billing_reason': 'VARCHAR',
    'collection_method': 'VARCHAR',
    'currency': 'VARCHAR',
    'parent': {'subscription_details': {'subscription': 'VARCHAR'}},
    'period_start': 'BIGINT',
    'period_end': 'BIGINT',
    'due_date': 'BIGINT',
    'status_transitions': {
        'finalized_at': 'BIGINT',
        'paid_at': 'BIGINT',
        'voided_at': 'BIGINT',
        'marked_uncollectible_at': 'BIGINT',
    },
    'subtotal': 'BIGINT',
    'total_discount_amounts': [{'amount': 'BIGINT'}],
    'total_pretax_credit_amounts': [{'amount': 'BIGINT', 'type': 'VARCHAR'}],
    'total_taxes': [{'amount': 'BIGINT', 'tax_behavior': 'VARCHAR'}],
    'total': 'BIGINT',
    'starting_balance': 'BIGINT',
    'amount_due': 'BIGINT',
    'amount_paid': 'BIGINT',
    'amount_remaining': 'BIGINT',
    'attempt_count': 'INTEGER',
} %}

with

latest as ({{ latest_versions(source('stripe', 'invoices')) }}),

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
        id as invoice_id,
        {{ id_of('object.customer') }} as customer_id,
        {{ id_of('object.parent.subscription_details.subscription') }} as subscription_id,

        -- text
        object.number,
        object.status,
        object.billing_reason,
        object.collection_method,
        lower(object.currency) as currency,

        -- numbers: minor units
        object.subtotal as subtotal_minor,
        {{ sum_of('object.total_discount_amounts') }} as discount_minor,
        -- discounts are listed among the pretax credits once more
        {{ sum_of("list_filter(object.total_pretax_credit_amounts, lambda entry: entry.type != 'discount')") }}
            as pretax_credit_minor,
        {{ sum_of('object.total_taxes') }} as tax_minor,
        {{ sum_of("list_filter(object.total_taxes, lambda entry: entry.tax_behavior = 'inclusive')") }}
            as inclusive_tax_minor,
        object.total as total_minor,
        coalesce(object.starting_balance, 0) as starting_balance_minor,
        object.amount_due as amount_due_minor,
        object.amount_paid as amount_paid_minor,
        object.amount_remaining as amount_remaining_minor,
        coalesce(object.attempt_count, 0) as attempt_count,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch('object.period_start') }} as period_start,
        {{ from_epoch('object.period_end') }} as period_end,
        {{ from_epoch('object.due_date') }} as due_at,
        {{ from_epoch('object.status_transitions.finalized_at') }} as finalized_at,
        {{ from_epoch('object.status_transitions.paid_at') }} as paid_at,
        {{ from_epoch('object.status_transitions.voided_at') }} as voided_at,
        {{ from_epoch('object.status_transitions.marked_uncollectible_at') }} as uncollectible_at

    from unpacked

)

select * from renamed
