{# The first invoice after an action: of its subscription, or any of the customer's: a credit waits for any, and an
   action that names no subscription is about all. #}
with

actions as (select * from {{ ref('int_actions_executed') }}),
prices as (select * from {{ ref('int_action_prices_followed') }}),
invoices as (select * from {{ ref('fct_invoices') }}),
invoice_lines as (select * from {{ ref('fct_invoice_lines') }}),

numbered_invoices as (

    select
        actions.account_id,
        actions.action_id,
        actions.kind,
        actions.executor,
        invoices.invoice_id,
        invoices.created_at,
        invoices.total_minor,
        invoices.amount_due_minor,
        invoices.starting_balance_minor,
        row_number() over (
            partition by actions.account_id, actions.action_id
            order by invoices.created_at, invoices.invoice_id
        ) as invoice_number

    from actions
    inner join invoices
        on
            actions.account_id = invoices.account_id
            and actions.customer_id = invoices.customer_id
            and actions.executed_at < invoices.created_at
            and invoices.status not in ('draft', 'void')
            and (
                actions.kind = 'courtesy_credit'
                or actions.subscription_id is null
                or actions.subscription_id = invoices.subscription_id
            )
            and coalesce(actions.currency = invoices.currency, true)

),

next_invoices as (select * from numbered_invoices where invoice_number = 1),

priced as (

    select
        next_invoices.account_id,
        next_invoices.action_id,
        bool_or(' ' || prices.asked_prices || ' ' like '% ' || invoice_lines.price_id || ' %') as is_price_invoiced

    from next_invoices
    inner join prices
        on
            next_invoices.account_id = prices.account_id
            and next_invoices.action_id = prices.action_id
    inner join invoice_lines
        on
            next_invoices.account_id = invoice_lines.account_id
            and next_invoices.invoice_id = invoice_lines.invoice_id
    group by next_invoices.account_id, next_invoices.action_id

),

followed as (

    select
        next_invoices.*,
        priced.is_price_invoiced,
        case
            when next_invoices.kind = 'courtesy_credit' and coalesce(next_invoices.executor = 'customer_credit', true)
                then
                    next_invoices.starting_balance_minor < 0
                    and next_invoices.amount_due_minor < next_invoices.total_minor
        end as is_credit_applied

    from next_invoices
    left join priced
        on
            next_invoices.account_id = priced.account_id
            and next_invoices.action_id = priced.action_id

)

select * from followed
