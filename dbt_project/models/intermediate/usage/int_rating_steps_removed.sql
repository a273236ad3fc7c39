{# What was taken off invoices by hand: steps of our rating for which a line was there and is not any more. A line that
   was counted anew at finalisation has a twin, or is no step of what the usage costs now. #}
with

steps as (select * from {{ ref('fct_rating_steps') }}),
removed_lines as (select * from {{ ref('int_invoice_lines_removed') }}),
lines as (select * from {{ ref('int_invoice_lines') }}),

once as (

    select distinct
        account_id,
        subscription_item_id,
        period_start,
        quantity,
        amount_minor
    from removed_lines

)

select
    steps.account_id,
    steps.subscription_item_id,
    steps.period_start,
    cast(sum(steps.amount_minor) as bigint) as removed_amount_minor
from steps
inner join once
    on
        steps.account_id = once.account_id
        and steps.subscription_item_id = once.subscription_item_id
        and steps.period_start = once.period_start
        and steps.tier_quantity = once.quantity
        and steps.amount_minor = once.amount_minor
left join lines
    on
        steps.account_id = lines.account_id
        and steps.subscription_item_id = lines.subscription_item_id
        and steps.period_start = lines.period_start
        and steps.tier_quantity = lines.quantity
        and steps.amount_minor = lines.amount_minor
where lines.account_id is null
group by
    steps.account_id,
    steps.subscription_item_id,
    steps.period_start
