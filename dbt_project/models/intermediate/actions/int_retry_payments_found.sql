{# Open invoices that Stripe collects by itself and tries no more, or not soon, and that another try may still collect:
   not after a refusal that is final (seed decline_reasons) while the same card is on file, nor what is in dispute, nor a
   first invoice, for which Stripe waits for the customer, nor while a charge is under way (a debit takes days), nor what
   is to be paid in instalments. #}
with

invoices as (select * from {{ ref('fct_receivables_ageing') }} where collection_method = 'charge_automatically'),
stripe_invoices as (select * from {{ ref('stg_stripe__invoices') }}),
tries as (select * from {{ ref('int_invoice_tries') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
reasons as (select * from {{ ref('decline_reasons') }}),
plans as (
    select distinct
        account_id,
        {{ text_in_json('params', '$.invoice') }} as invoice_id
    from {{ ref('int_actions_executed') }}
    where kind = 'payment_plan' and undone_at is null
),
rules as (
    {{ rules_of('retry_payment', ['hours_to_next_attempt']) }}
),

tried as (

    select
        account_id,
        invoice_id,
        max(attempt_number) as tries_made,
        {{ latest_by('payment_method_id', 'attempt_number') }} as payment_method_id,
        {{ latest_by('is_last_one_allowed', 'attempt_number') }} as is_forbidden,
        bool_or(is_disputed or outcome = 'pending') as is_unsettled

    from tries
    group by
        account_id,
        invoice_id

),

found as (

    select
        invoices.account_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.subscription_id,
        invoices.currency,
        invoices.as_of,
        invoices.finalized_at,
        invoices.amount_remaining_minor,
        invoices.attempt_count,
        invoices.next_payment_attempt_at,
        customers.name,
        customers.livemode,
        cast(coalesce(tried.tries_made, invoices.attempt_count) as integer) as tries_made,
        coalesce(invoices.last_decline_reason, 'unknown') as reason,
        coalesce(reasons.in_words, 'the bank gave a reason of its own') as reason_in_words,
        coalesce(
            coalesce(subscriptions.default_payment_method_id, customers.default_payment_method_id)
            != tried.payment_method_id,
            false
        ) as has_other_method,
        cast(coalesce(invoices.last_failed_at, invoices.finalized_at) as date) as last_tried_on,
        -- on the day after as_of, when somebody can act on it
        greatest(1 + {{ days_from(
            'cast(coalesce(invoices.last_failed_at, invoices.finalized_at) as date)', 'invoices.as_of'
        ) }}, 0) as days_since

    from invoices
    inner join stripe_invoices
        on
            invoices.account_id = stripe_invoices.account_id
            and invoices.invoice_id = stripe_invoices.invoice_id
    inner join customers
        on
            invoices.account_id = customers.account_id
            and invoices.customer_id = customers.customer_id
            and invoices.currency = customers.currency
    cross join rules
    left join subscriptions
        on
            invoices.account_id = subscriptions.account_id
            and invoices.subscription_id = subscriptions.subscription_id
    left join tried
        on {{ same_keys('invoices', 'tried', ['account_id', 'invoice_id']) }}
    left join plans
        on {{ same_keys('invoices', 'plans', ['account_id', 'invoice_id']) }}
    left join reasons
        on invoices.last_decline_reason = reasons.decline_reason
    where
        invoices.amount_remaining_minor > 0
        and invoices.attempt_count > 0
        and coalesce(stripe_invoices.billing_reason, '') != 'subscription_create'
        and not coalesce(tried.is_unsettled, false)
        and plans.invoice_id is null
        and (
            not coalesce(reasons.is_final or tried.is_forbidden, false)
            or coalesce(subscriptions.default_payment_method_id, customers.default_payment_method_id)
            != tried.payment_method_id
        )
        and coalesce(
            {{ seconds_of('invoices.next_payment_attempt_at') }} - {{ seconds_of(end_of_day('invoices.as_of')) }}
            > 3600 * greatest(rules.hours_to_next_attempt, 1),
            invoices.next_payment_attempt_at is null and rules.hours_to_next_attempt is not null
        )

)

select * from found
