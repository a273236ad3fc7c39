{# Living subscription items beside the book price: the product's default price, or else its newest active one, of the
   same currency, interval, usage type and meter. A metered item's quantity is that of its last period that is over. #}
with

items as (select * from {{ ref('int_subscription_items') }} where is_alive and not is_deleted),
periods as (select * from {{ ref('fct_usage_periods') }} where not is_open and not is_trial),
-- a price of an experiment is nobody's book price, and who has one lost no money by mistake
prices as (select * from {{ ref('stg_stripe__prices') }} where experiment_id is null),
products as (select * from {{ ref('stg_stripe__products') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

last_used as (

    select
        account_id,
        subscription_item_id,
        {{ latest_by('quantity', 'period_start') }} as quantity
    from periods
    group by account_id, subscription_item_id

),

described as (

    select
        items.account_id,
        items.subscription_item_id,
        items.subscription_id,
        items.customer_id,
        items.currency,
        items.is_metered,
        items.started_at,
        items.price_id,
        prices.product_id,
        products.default_price_id,
        prices.meter_id,
        prices.billing_interval,
        prices.interval_count,
        intervals.intervals_per_year,
        cast(case when items.is_metered then last_used.quantity else items.quantity end as decimal(18, 6)) as quantity
    from items
    inner join prices
        on
            items.account_id = prices.account_id
            and items.price_id = prices.price_id
    inner join intervals
        on prices.billing_interval = intervals.billing_interval
    left join products
        on
            prices.account_id = products.account_id
            and prices.product_id = products.product_id
    left join last_used
        on
            items.account_id = last_used.account_id
            and items.subscription_item_id = last_used.subscription_item_id

),

candidates as (

    select
        described.account_id,
        described.subscription_item_id,
        prices.price_id as book_price_id,
        row_number() over (
            partition by described.account_id, described.subscription_item_id
            order by {{ catalogue_order('prices', 'described.default_price_id') }}
        ) as turn
    from described
    inner join prices
        on
            described.account_id = prices.account_id
            and described.product_id = prices.product_id
            and described.currency = prices.currency
            and described.billing_interval = prices.billing_interval
            and described.interval_count = prices.interval_count
            and described.is_metered = (prices.usage_type = 'metered')
            and coalesce(described.meter_id, '') = coalesce(prices.meter_id, '')
    where
        prices.is_active
        and not prices.is_deleted

)

select
    described.*,
    candidates.book_price_id
from described
left join candidates
    on
        described.account_id = candidates.account_id
        and described.subscription_item_id = candidates.subscription_item_id
        and candidates.turn = 1
