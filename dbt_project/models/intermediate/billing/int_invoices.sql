{# Invoices as they were known at as_of: drafts, open and paid as of then. #}
with

invoices as (select * from {{ ref('stg_stripe__invoices') }}),
as_of as (select * from {{ ref('int_as_of') }}),

known as (

    select
        invoices.*,
        as_of.as_of,
        {{ if_known('invoices.finalized_at', 'as_of.known_until') }} as known_finalized_at,
        {{ if_known('invoices.paid_at', 'as_of.known_until') }} as known_paid_at,
        {{ if_known('invoices.voided_at', 'as_of.known_until') }} as known_voided_at,
        {{ if_known('invoices.uncollectible_at', 'as_of.known_until') }} as known_uncollectible_at
    from invoices
    inner join as_of
        on invoices.account_id = as_of.account_id
    where
        invoices.created_at < as_of.known_until
        -- Stripe deletes only drafts: they were never a claim
        and not invoices.is_deleted

),

rewound as (

    select
        *,
        case
            when finalized_at is not null and known_finalized_at is null then 'draft'
            when status = 'paid' and paid_at is not null and known_paid_at is null then 'open'
            when status = 'void' and voided_at is not null and known_voided_at is null then 'open'
            when status = 'uncollectible' and uncollectible_at is not null and known_uncollectible_at is null
                then 'open'
            else status
        end as known_status,
        paid_at is not null and known_paid_at is null as is_paid_later
    from known

)

select
    account_id,
    invoice_id,
    customer_id,
    subscription_id,
    number,
    known_status as status,
    billing_reason,
    collection_method,
    currency,
    created_at,
    period_start,
    period_end,
    due_at,
    known_finalized_at as finalized_at,
    known_paid_at as paid_at,
    known_voided_at as voided_at,
    known_uncollectible_at as uncollectible_at,
    subtotal_minor,
    discount_minor,
    pretax_credit_minor,
    tax_minor,
    inclusive_tax_minor,
    total_minor,
    starting_balance_minor,
    amount_due_minor,
    case when is_paid_later then 0 else amount_paid_minor end as amount_paid_minor,
    case when is_paid_later then amount_due_minor else amount_remaining_minor end as amount_remaining_minor,
    attempt_count,
    as_of
from rewound
