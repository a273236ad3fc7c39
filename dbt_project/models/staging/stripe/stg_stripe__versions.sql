{# A view: costs nothing to build, and asked for one kind or id it reads only that. #}
{% set kinds = [
    'accounts', 'alerts', 'balance_transactions', 'charges', 'coupons', 'credit_balance_transactions', 'credit_grants',
    'credit_note_lines', 'credit_notes', 'customer_balance_transactions', 'customers', 'disputes', 'events',
    'invoice_items', 'invoice_lines', 'invoice_payments', 'invoices', 'meters', 'payment_intents', 'payment_methods',
    'prices', 'products', 'promotion_codes', 'quote_lines', 'quote_upfront_lines', 'quotes', 'refunds',
    'subscription_items', 'subscription_schedules', 'subscriptions', 'tax_rates',
] %}

{{ config(materialized='view') }}

with

landed as (

    {% for kind in kinds -%}
        select
            account_id,
            '{{ kind }}' as kind,
            id,
            version_hash,
            payload,
            is_deleted,
            livemode,
            loaded_at,
            {{ landing_position() }} as position
        from {{ source('stripe', kind) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

placed as (

    select
        -- ids
        account_id,
        kind,
        id,
        version_hash,

        -- text: what Stripe sent, to the byte
        payload,

        -- booleans
        is_deleted,
        lead(loaded_at) over later is null as is_current,
        livemode,

        -- numbers: its place in the raw table; of rows of one load, what was appended later has a greater one
        position,

        -- times in UTC: when this version was read, and when the next one was
        loaded_at,
        lead(loaded_at) over later as superseded_at

    from landed
    where {{ is_finished('loaded_at') }}
    window later as (partition by account_id, kind, id order by loaded_at, position)

)

select * from placed
