{# Which plan a subscription was on, as its invoices told it: a swap is known with the first invoice that bills it. #}
with

lines as (select * from {{ ref('int_invoice_lines') }}),

invoiced_plans as (

    select
        account_id,
        subscription_id,
        customer_id,
        invoiced_at,
        {{ latest_by('plan', ['plan_rank', 'plan']) }} as plan,
        max(plan_rank) as plan_rank
    from lines
    where
        is_known
        and not is_metered
        and not is_proration
        and plan is not null
        and subscription_id is not null
        -- an item added to an invoice by hand is no plan
        and subscription_item_id is not null
    group by
        account_id,
        subscription_id,
        customer_id,
        invoiced_at

),

compared as (

    select
        *,
        lag(plan_rank) over (partition by account_id, subscription_id order by invoiced_at) as previous_plan_rank,
        lead(invoiced_at) over (partition by account_id, subscription_id order by invoiced_at) as next_invoiced_at
    from invoiced_plans

)

select
    account_id,
    subscription_id,
    customer_id,
    plan,
    plan_rank,
    invoiced_at as known_from,
    next_invoiced_at as known_to,
    coalesce(plan_rank > previous_plan_rank, false) as is_upgrade
from compared
