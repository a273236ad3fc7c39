{# The days that forecasts start from: as_of and every week before it for a year, for each item that is alive then. #}
with

items as (select * from {{ ref('int_subscription_items') }}),
invoice_lines as (select * from {{ ref('int_invoice_lines') }}),

item_origins as (

    select
        account_id,
        subscription_item_id,
        price_id,
        ended_at,
        as_of,
        as_of - 7 * cast(unnest(generate_series(0, 52)) as integer) as origin_date,
        first_day,
        last_day
    from items
    where is_metered

),

living as (

    select *
    from item_origins
    where
        origin_date between first_day and last_day
        and coalesce(ended_at >= {{ end_of_day('origin_date') }}, true)

),

billed_prices as (

    select
        account_id,
        subscription_item_id,
        price_id,
        invoiced_at
    from invoice_lines
    where
        is_metered
        and subscription_item_id is not null

),

-- The price is the one last billed by then: a later swap is not known. Before a first bill it is the one billed first.
priced as (

    select
        living.account_id,
        living.subscription_item_id,
        living.origin_date,
        arg_max(billed_prices.price_id, billed_prices.invoiced_at) filter (
            where billed_prices.invoiced_at < {{ end_of_day('living.origin_date') }}
        ) as last_price_id,
        arg_min(billed_prices.price_id, billed_prices.invoiced_at) as first_price_id
    from living
    inner join billed_prices
        on
            living.account_id = billed_prices.account_id
            and living.subscription_item_id = billed_prices.subscription_item_id
    group by
        living.account_id,
        living.subscription_item_id,
        living.origin_date

)

select
    living.account_id,
    living.subscription_item_id,
    living.origin_date,
    living.origin_date = living.as_of as is_scoring,
    coalesce(priced.last_price_id, priced.first_price_id, living.price_id) as price_id
from living
left join priced
    on
        living.account_id = priced.account_id
        and living.subscription_item_id = priced.subscription_item_id
        and living.origin_date = priced.origin_date
