{# Seats and discounts of a customer on the days that churn is judged on. From the day before the first load on they are
   what was observed; before it, what the running bill says. Licensed items outside plans are sold by the seat. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
items as (select * from {{ ref('int_subscription_items') }}),
item_states as (select * from {{ ref('int_item_states') }}),
discounts as (select * from {{ ref('int_discount_spans') }}),
prices as (select * from {{ ref('stg_stripe__prices') }} where usage_type = 'licensed'),
products as (select * from {{ ref('stg_stripe__products') }}),
billed_lines as (select * from {{ ref('int_invoice_lines_net_of_discounts') }}),
as_of as (select * from {{ ref('int_as_of') }}),

item_days as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.valued_until,
        items.subscription_id,
        items.subscription_item_id,
        customer_days.valued_until > as_of.landed_from as is_observed
    from customer_days
    inner join as_of
        on customer_days.account_id = as_of.account_id
    inner join items
        on
            customer_days.account_id = items.account_id
            and customer_days.customer_id = items.customer_id

),

discounted as (

    select distinct
        item_days.account_id,
        item_days.subscription_id,
        item_days.as_of_date
    from item_days
    inner join discounts
        on
            item_days.account_id = discounts.account_id
            and item_days.subscription_id = discounts.subscription_id
            and item_days.valued_until > discounts.valid_from
            and item_days.valued_until <= discounts.valid_to

),

observed as (

    select
        item_days.account_id,
        item_days.customer_id,
        item_days.as_of_date,
        case when products.plan_rank is null then coalesce(item_states.quantity, 1) else 0 end as seats,
        discounted.subscription_id is not null as has_discount
    from item_days
    inner join item_states
        on
            item_days.account_id = item_states.account_id
            and item_days.subscription_item_id = item_states.subscription_item_id
            and item_days.valued_until > item_states.valid_from
            and coalesce(item_days.valued_until <= item_states.valid_to, true)
    inner join prices
        on
            item_states.account_id = prices.account_id
            and item_states.price_id = prices.price_id
    left join products
        on
            prices.account_id = products.account_id
            and prices.product_id = products.product_id
    left join discounted
        on {{ same_keys('item_days', 'discounted', ['account_id', 'subscription_id', 'as_of_date']) }}
    where item_days.is_observed

),

billed as (

    select
        item_days.account_id,
        item_days.customer_id,
        item_days.as_of_date,
        case when billed_lines.plan_rank is null then billed_lines.quantity else 0 end as seats,
        billed_lines.has_discount
    from item_days
    inner join billed_lines
        on
            item_days.account_id = billed_lines.account_id
            and item_days.subscription_item_id = billed_lines.subscription_item_id
            and item_days.valued_until > billed_lines.period_start
            and item_days.valued_until <= billed_lines.period_end
            and item_days.valued_until > billed_lines.invoiced_at
    where not item_days.is_observed

),

known as (

    select * from observed
    union all
    select * from billed

)

select
    account_id,
    customer_id,
    as_of_date,
    sum(seats) as seats,
    bool_or(has_discount) as has_discount
from known
group by
    account_id,
    customer_id,
    as_of_date
