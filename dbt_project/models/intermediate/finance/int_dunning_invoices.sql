{# Invoices whose first attempt to collect failed, and what became of them by as_of. An attempt without a card on file
   makes no charge: Stripe counts it, and it is taken as the first, made when the invoice became final. Where more was
   paid than has landed (a load may leave charges out), one of the attempts counted is the one that was paid. #}
with

invoices as (select * from {{ ref('int_invoices') }} where finalized_at is not null),
payments as (select * from {{ ref('fct_payments') }} where invoice_id is not null),
as_of as (select * from {{ ref('int_as_of') }}),

tried as (

    select
        account_id,
        invoice_id,
        sum(case when payment_kind = 'charge' then 1 else 0 end) as charges_made,
        max(case when attempt_number = 1 then outcome end) as first_outcome,
        min(case when payment_kind = 'charge' then attempted_at end) as first_attempted_at,
        max(case when outcome = 'succeeded' then attempt_number end) as succeeded_attempt,
        sum(case when payment_kind in ('charge', 'payment_record', 'off_stripe') then received_minor end)
            as received_minor
    from payments
    group by account_id, invoice_id

),

compared as (

    select
        invoices.*,
        coalesce(tried.charges_made, 0) as charges_made,
        tried.first_outcome,
        tried.first_attempted_at,
        tried.succeeded_attempt,
        case
            when invoices.status = 'paid' and invoices.amount_paid_minor > coalesce(tried.received_minor, 0) then 1
            else 0
        end as attempts_not_landed
    from invoices
    left join tried
        on
            invoices.account_id = tried.account_id
            and invoices.invoice_id = tried.invoice_id

),

judged as (

    select
        *,
        coalesce(first_outcome = 'failed', false) as has_failed_charge,
        case
            when first_outcome = 'failed' then 0
            else greatest(attempt_count - charges_made - attempts_not_landed, 0)
        end as attempts_uncharged
    from compared

),

failed as (

    select
        judged.*,
        as_of.time_zone,
        case when judged.has_failed_charge then judged.first_attempted_at else judged.finalized_at end
            as first_failed_at
    from judged
    inner join as_of
        on judged.account_id = as_of.account_id
    where judged.has_failed_charge or judged.attempts_uncharged > 0

)

select
    account_id,
    invoice_id,
    customer_id,
    currency,
    as_of,
    first_failed_at,
    {{ month_start(local_time('first_failed_at', 'time_zone')) }} as failed_month,
    cast(charges_made + attempts_uncharged + attempts_not_landed as integer) as attempts_made,
    cast(
        case
            when attempts_not_landed > 0 then charges_made + attempts_uncharged + attempts_not_landed
            when status = 'paid' then succeeded_attempt + attempts_uncharged
        end as integer
    ) as recovered_attempt,
    case when status = 'paid' then paid_at end as recovered_at,
    case
        when status = 'paid' then 'recovered'
        when status in ('uncollectible', 'void') then 'given_up'
        else 'open'
    end as outcome,
    amount_due_minor,
    amount_remaining_minor
from failed
