{# What invoices to come hold for certain: licensed items, billed in advance at their present quantity, and the invoice
   items that wait for an invoice (prorations among them): those of a subscription on its next invoice, others on the
   customer's next one in their currency. The last invoice of a subscription bills no new period. #}
with

items as (select * from {{ ref('int_upcoming_items') }} where not is_metered and not is_last),
invoices as (select * from {{ ref('int_upcoming_invoices') }}),
pending as (select * from {{ ref('stg_stripe__invoice_items') }} where not is_deleted),
known_invoices as (select * from {{ ref('int_invoices') }}),
as_of as (select * from {{ ref('int_as_of') }}),

rated as ({{ rate_totals('items', ['subscription_item_id']) }}),

waiting as (

    select pending.*
    from pending
    inner join as_of
        on
            pending.account_id = as_of.account_id
            and pending.created_at < as_of.known_until
    -- until an invoice that is known by as_of has taken it
    left join known_invoices
        on {{ same_keys('pending', 'known_invoices', ['account_id', 'invoice_id']) }}
    where known_invoices.invoice_id is null

)

select
    items.account_id,
    items.subscription_id,
    items.period_end,
    items.subscription_item_id as line_id,
    items.subscription_item_id,
    items.product_id,
    'fee' as kind,
    true as is_discountable,
    rated.rated_amount_minor as amount_minor
from items
left join rated
    on {{ same_keys('items', 'rated', ['account_id', 'subscription_item_id']) }}
union all
select
    invoices.account_id,
    invoices.subscription_id,
    invoices.period_end,
    waiting.invoice_item_id as line_id,
    waiting.subscription_item_id,
    waiting.product_id,
    'pending' as kind,
    waiting.is_discountable and waiting.amount_minor > 0 as is_discountable,
    waiting.amount_minor
from waiting
inner join invoices
    on
        {{ same_keys('waiting', 'invoices', ['account_id', 'customer_id', 'currency']) }}
        and invoices.is_running
        and case
            when waiting.subscription_id is null then invoices.place_of_customer = 1
            else waiting.subscription_id = invoices.subscription_id and invoices.place_of_subscription = 1
        end
