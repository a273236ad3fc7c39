{# What each living subscription item is worth a month at its own price and at the book price, before discounts. #}
with

items as (select * from {{ ref('int_items_beside_book') }}),

at_prices as (

    select
        account_id,
        subscription_item_id,
        price_id,
        currency,
        quantity
    from items
    where quantity is not null
    union
    select
        account_id,
        subscription_item_id,
        book_price_id as price_id,
        currency,
        quantity
    from items
    where
        quantity is not null
        and book_price_id is not null

),

rated as ({{ rate_totals('at_prices', ['subscription_item_id']) }})

select
    items.account_id,
    items.subscription_item_id,
    items.subscription_id,
    items.customer_id,
    items.currency,
    items.is_metered,
    items.started_at,
    items.price_id,
    items.product_id,
    items.book_price_id,
    items.intervals_per_year,
    items.interval_count,
    {{ monthly_amount('own.rated_amount_minor', 'items.intervals_per_year', 'items.interval_count') }}
        as own_monthly_minor,
    {{ monthly_amount('book.rated_amount_minor', 'items.intervals_per_year', 'items.interval_count') }}
        as book_monthly_minor
from items
left join rated as own
    on
        items.account_id = own.account_id
        and items.subscription_item_id = own.subscription_item_id
        and items.price_id = own.price_id
left join rated as book
    on
        items.account_id = book.account_id
        and items.subscription_item_id = book.subscription_item_id
        and items.book_price_id = book.price_id
