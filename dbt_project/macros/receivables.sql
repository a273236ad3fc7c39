{# Whole UTC days by which an open invoice is late at the end of `as_of`: it is due on its due date, or, where Stripe
   charges it by itself, on the day that it became final. 0 until that day is over. #}
{% macro days_past_due(due_at, finalized_at, as_of) -%}
    cast(greatest({{ days_from('cast(coalesce(' ~ due_at ~ ', ' ~ finalized_at ~ ') as date)', as_of) }}, 0) as integer)
{%- endmacro %}

{# A select: when a customer was last credited by hand: on the balance, by a credit note, by a
   promotional grant; or last paid what was refunded or lost to a dispute. What the runner gave is in the ledger, and is
   settled by that. #}
{% macro credited_by_hand() %}
    select
        given.account_id,
        given.customer_id,
        cast(max(given.created_at) as date) as credited_on
    from (
        select account_id, customer_id, balance_transaction_id as object_id, created_at
        from {{ ref('stg_stripe__customer_balance_transactions') }}
        where transaction_type = 'adjustment' and amount_minor < 0 and not is_deleted
        union all
        select account_id, customer_id, credit_note_id as object_id, created_at
        from {{ ref('stg_stripe__credit_notes') }}
        where status = 'issued' and not is_deleted
        union all
        select account_id, customer_id, credit_grant_id as object_id, created_at
        from {{ ref('stg_stripe__credit_grants') }}
        where category = 'promotional' and voided_at is null and not is_deleted
        union all
        select account_id, customer_id, payment_id as object_id, attempted_at as created_at
        from {{ ref('fct_payments') }}
        where refunded_minor > 0 or disputed_minor > 0
    ) as given
    inner join {{ ref('int_as_of') }} as current_days
        on
            given.account_id = current_days.account_id
            and given.created_at < current_days.known_until
    left join {{ ref('int_actions_executed') }} as executed
        on {{ same_keys('given', 'executed', ['account_id', 'object_id']) }}
    where executed.object_id is null
    group by
        given.account_id,
        given.customer_id
{% endmacro %}
