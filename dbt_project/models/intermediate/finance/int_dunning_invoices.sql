{# Invoices whose first attempt to collect failed, and what became of them by as_of. An attempt without a card on file
   makes no charge: Stripe counts it, and it is taken as the first, made when the invoice became final. #}
with

invoices as (select * from {{ ref('int_invoices') }} where finalized_at is not null),
payments as (select * from {{ ref('fct_payments') }} where payment_kind = 'charge' and invoice_id is not null),
as_of as (select * from {{ ref('int_as_of') }}),

tried as (

    select
        account_id,
        invoice_id,
        count(*) as charges_made,
        max(case when attempt_number = 1 then outcome end) as first_outcome,
        min(attempted_at) as first_attempted_at,
        max(case when outcome = 'succeeded' then attempt_number end) as succeeded_attempt
    from payments
    group by account_id, invoice_id

),

judged as (

    select
        invoices.*,
        coalesce(tried.charges_made, 0) as charges_made,
        tried.first_attempted_at,
        tried.succeeded_attempt,
        coalesce(tried.first_outcome = 'failed', false) as has_failed_charge,
        case
            when tried.first_outcome = 'failed' then 0
            else greatest(invoices.attempt_count - coalesce(tried.charges_made, 0), 0)
        end as attempts_uncharged
    from invoices
    left join tried
        on
            invoices.account_id = tried.account_id
            and invoices.invoice_id = tried.invoice_id

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
    cast(charges_made + attempts_uncharged as integer) as attempts_made,
    cast(case when status = 'paid' then succeeded_attempt + attempts_uncharged end as integer) as recovered_attempt,
    case when status = 'paid' then paid_at end as recovered_at,
    case
        when status = 'paid' then 'recovered'
        when status in ('uncollectible', 'void') then 'given_up'
        else 'open'
    end as outcome,
    amount_due_minor,
    amount_remaining_minor
from failed
