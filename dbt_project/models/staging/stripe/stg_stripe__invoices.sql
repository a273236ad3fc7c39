{{ incremental_by_version('invoice_id') }}

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
    'amount_paid_off_stripe': 'BIGINT',
    'pre_payment_credit_notes_amount': 'BIGINT',
    'post_payment_credit_notes_amount': 'BIGINT',
    'attempt_count': 'INTEGER',
    'next_payment_attempt': 'BIGINT',
    'discounts': [{
        'id': 'VARCHAR',
        'start': 'BIGINT',
        'end': 'BIGINT',
        'source': {'coupon': 'VARCHAR'},
    }],
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'invoices'), structure, 'invoice_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as invoice_id,
        {{ id_of(object.customer) }} as customer_id,
        {{ id_of(object.parent.subscription_details.subscription) }} as subscription_id,

        -- text
        {{ object.number }} as number,
        {{ object.status }} as status,
        {{ object.billing_reason }} as billing_reason,
        {{ object.collection_method }} as collection_method,
        lower({{ object.currency }}) as currency,

        -- numbers: minor units
        {{ object.subtotal }} as subtotal_minor,
        {{ sum_of(object.total_discount_amounts) }} as discount_minor,
        -- discounts are listed among the pretax credits once more
        {{ sum_of(object.total_pretax_credit_amounts, without={'type': 'discount'}) }} as pretax_credit_minor,
        {{ sum_of(object.total_taxes) }} as tax_minor,
        {{ sum_of(object.total_taxes, only={'tax_behavior': 'inclusive'}) }} as inclusive_tax_minor,
        {{ object.total }} as total_minor,
        coalesce({{ object.starting_balance }}, 0) as starting_balance_minor,
        {{ object.amount_due }} as amount_due_minor,
        {{ object.amount_paid }} as amount_paid_minor,
        {{ object.amount_remaining }} as amount_remaining_minor,
        coalesce({{ object.amount_paid_off_stripe }}, 0) as paid_off_stripe_minor,
        {{ object.pre_payment_credit_notes_amount }} as pre_payment_credit_notes_minor,
        {{ object.post_payment_credit_notes_amount }} as post_payment_credit_notes_minor,
        coalesce({{ object.attempt_count }}, 0) as attempt_count,

        -- lists
        {{ discounts_of(object.discounts) }} as discounts,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.period_start) }} as period_start,
        {{ from_epoch(object.period_end) }} as period_end,
        {{ from_epoch(object.due_date) }} as due_at,
        {{ from_epoch(object.next_payment_attempt) }} as next_payment_attempt_at,
        {{ from_epoch(object.status_transitions.finalized_at) }} as finalized_at,
        {{ from_epoch(object.status_transitions.paid_at) }} as paid_at,
        {{ from_epoch(object.status_transitions.voided_at) }} as voided_at,
        {{ from_epoch(object.status_transitions.marked_uncollectible_at) }} as uncollectible_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
