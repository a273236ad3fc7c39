{{ incremental_by_version('credit_balance_transaction_id') }}

{% set structure = {
    'credit_grant': 'VARCHAR',
    'type': 'VARCHAR',
    'credit': {
        'type': 'VARCHAR',
        'amount': {'monetary': {'currency': 'VARCHAR', 'value': 'BIGINT'}},
        'credits_application_invoice_voided': {'invoice': 'VARCHAR', 'invoice_line_item': 'VARCHAR'},
    },
    'debit': {
        'type': 'VARCHAR',
        'amount': {'monetary': {'currency': 'VARCHAR', 'value': 'BIGINT'}},
        'credits_applied': {'invoice': 'VARCHAR', 'invoice_line_item': 'VARCHAR'},
    },
    'effective_at': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as (

    {{ latest_versions(
        source('stripe', 'credit_balance_transactions'), structure, 'credit_balance_transaction_id'
    ) }}

),

renamed as (

    select
        -- ids
        account_id,
        id as credit_balance_transaction_id,
        {{ id_of(object.credit_grant) }} as credit_grant_id,
        coalesce(
            {{ id_of(object.debit.credits_applied.invoice) }},
            {{ id_of(object.credit.credits_application_invoice_voided.invoice) }}
        ) as invoice_id,
        coalesce(
            {{ object.debit.credits_applied.invoice_line_item }},
            {{ object.credit.credits_application_invoice_voided.invoice_line_item }}
        ) as invoice_line_id,

        -- text
        {{ object.type }} as transaction_type,
        coalesce({{ object.credit.type }}, {{ object.debit.type }}) as reason,
        lower(
            coalesce({{ object.credit.amount.monetary.currency }}, {{ object.debit.amount.monetary.currency }})
        ) as currency,

        -- numbers: minor units, what the balance of credits changes by (Stripe's debits have no sign)
        coalesce({{ object.credit.amount.monetary.value }}, -{{ object.debit.amount.monetary.value }}) as amount_minor,

        -- booleans
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.effective_at) }} as effective_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
