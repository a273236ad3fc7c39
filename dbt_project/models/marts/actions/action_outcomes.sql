with

actions as (select * from {{ ref('int_actions_executed') }}),
prices as (select * from {{ ref('int_action_prices_followed') }}),
invoices as (select * from {{ ref('int_action_invoices_followed') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
current_days as (select * from {{ ref('int_as_of') }}),

latest_months as (

    select
        months.*,
        current_days.as_of

    from months
    inner join current_days
        on
            months.account_id = current_days.account_id
            and months.month_start = date_trunc('month', current_days.as_of)

),

followed as (

    select
        -- the action
        actions.account_id,
        actions.action_id,
        actions.recommendation_id,
        actions.livemode,
        actions.kind,
        actions.customer_id,
        actions.subscription_id,
        actions.object_id,
        actions.currency,
        actions.amount_minor,
        actions.executed_at,
        actions.undone_at,

        -- revenue before and now
        months_before.mrr_minor as mrr_before_minor,
        latest_months.mrr_minor as mrr_latest_minor,
        latest_months.mrr_minor - months_before.mrr_minor as mrr_change_minor,
        latest_months.as_of as mrr_latest_as_of,

        -- what Stripe billed next
        invoices.invoice_id as next_invoice_id,
        invoices.created_at as next_invoice_at,
        invoices.total_minor as next_invoice_total_minor,

        -- whether it shows
        prices.prices_after,
        prices.is_price_in_force,
        invoices.is_price_invoiced,
        invoices.is_credit_applied

    from actions
    left join months as months_before
        on
            actions.account_id = months_before.account_id
            and actions.customer_id = months_before.customer_id
            and actions.currency = months_before.currency
            and months_before.month_start = date_trunc('month', actions.executed_at) - interval '1 month'
    left join latest_months
        on
            actions.account_id = latest_months.account_id
            and actions.customer_id = latest_months.customer_id
            and actions.currency = latest_months.currency
    left join prices
        on
            actions.account_id = prices.account_id
            and actions.action_id = prices.action_id
    left join invoices
        on
            actions.account_id = invoices.account_id
            and actions.action_id = invoices.action_id

)

select * from followed
