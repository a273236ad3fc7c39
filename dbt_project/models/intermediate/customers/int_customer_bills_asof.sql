{# What other prices made of a customer's bill in the 91 days up to a day that churn is judged on: items whose newest
   bill names another price than the newest one before those days, at the quantity of that. Bills are known when they are
   final and do not change. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
lines as (select * from {{ ref('int_invoice_lines') }}),

bills as (

    select
        account_id,
        customer_id,
        subscription_item_id,
        price_id,
        finalized_at,
        sum(quantity) as quantity,
        sum(amount_minor) as amount_minor
    from lines
    where
        is_known
        and finalized_at is not null
        and not is_proration
        and subscription_item_id is not null
        and price_id is not null
    group by
        account_id,
        customer_id,
        subscription_item_id,
        price_id,
        finalized_at

),

placed as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        bills.subscription_item_id,
        bills.price_id,
        bills.quantity,
        bills.amount_minor,
        customer_days.valued_until - interval '91 days' > bills.finalized_at as is_before,
        row_number() over (
            partition by
                customer_days.account_id, customer_days.as_of_date, bills.subscription_item_id,
                customer_days.valued_until - interval '91 days' > bills.finalized_at
            order by bills.finalized_at desc, bills.price_id asc
        ) as newest_first
    from customer_days
    inner join bills
        on
            customer_days.account_id = bills.account_id
            and customer_days.customer_id = bills.customer_id
            and customer_days.valued_until > bills.finalized_at
            and customer_days.valued_until - interval '182 days' <= bills.finalized_at

),

compared as (

    select
        before.account_id,
        before.customer_id,
        before.as_of_date,
        before.amount_minor,
        case
            when before.price_id != newest.price_id and before.quantity > 0 and newest.quantity > 0
                then {{ share_of('newest.amount_minor * before.quantity', 'newest.quantity', 'double') }}
            else before.amount_minor
        end as amount_at_newest
    from placed as before
    inner join placed as newest
        on
            {{ same_keys('before', 'newest', ['account_id', 'subscription_item_id', 'as_of_date']) }}
            and not newest.is_before
            and newest.newest_first = 1
    where
        before.is_before
        and before.newest_first = 1

)

-- decimals add up to the same in any order, doubles do not
select
    account_id,
    customer_id,
    as_of_date,
    {{ share_of('sum(cast(amount_at_newest as decimal(24, 6)))', 'sum(amount_minor)', 'double') }} as bill_change_ratio
from compared
group by
    account_id,
    customer_id,
    as_of_date
