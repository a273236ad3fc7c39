{# What a customer was billed for on the days churn is judged on: plan, seats, discount, and the last upgrade. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
plans as (select * from {{ ref('int_plan_history') }}),
items as (select * from {{ ref('int_subscription_items') }}),
licensed_lines as (select * from {{ ref('int_invoice_lines_net_of_discounts') }}),

on_plan as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        arg_max(plans.plan_rank, plans.known_from) as plan_rank,
        max(case when plans.is_upgrade then cast(plans.known_from as date) end) as upgraded_on
    from customer_days
    inner join plans
        on
            customer_days.account_id = plans.account_id
            and customer_days.customer_id = plans.customer_id
            and customer_days.valued_until > plans.known_from
    group by
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date

),

billed as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        -- licensed items without a plan are sold by the seat
        sum(case when licensed_lines.plan_rank is null then licensed_lines.quantity else 0 end) as seats,
        bool_or(licensed_lines.has_discount) as has_discount
    from customer_days
    inner join items
        on
            customer_days.account_id = items.account_id
            and customer_days.customer_id = items.customer_id
    inner join licensed_lines
        on
            items.account_id = licensed_lines.account_id
            and items.subscription_item_id = licensed_lines.subscription_item_id
            and licensed_lines.period_start < customer_days.valued_until
            and licensed_lines.period_end >= customer_days.valued_until
            and licensed_lines.invoiced_at < customer_days.valued_until
    group by
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date

)

select
    customer_days.account_id,
    customer_days.customer_id,
    customer_days.as_of_date,
    on_plan.plan_rank,
    date_diff('month', on_plan.upgraded_on, customer_days.as_of_date) as months_since_upgrade,
    coalesce(billed.seats, 0) as seats,
    coalesce(billed.has_discount, false) as has_discount
from customer_days
left join on_plan
    on
        customer_days.account_id = on_plan.account_id
        and customer_days.customer_id = on_plan.customer_id
        and customer_days.as_of_date = on_plan.as_of_date
left join billed
    on
        customer_days.account_id = billed.account_id
        and customer_days.customer_id = billed.customer_id
        and customer_days.as_of_date = billed.as_of_date
