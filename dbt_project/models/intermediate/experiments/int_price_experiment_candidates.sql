{# Every customer on a price that an experiment varies which has not begun, with what may keep it out. Of several such
   items the first. #}
with

variants as (
    select * from {{ ref('int_price_experiments_judged') }}
    where refusal is null and enrolled_on is null and as_of < ends_on
),
prices as (select * from {{ ref('dim_prices') }}),
sold as (
    select * from {{ ref('stg_stripe__prices') }} where is_active and not is_deleted and experiment_id is null
),
products as (select * from {{ ref('stg_stripe__products') }}),
book_tiers as (select * from {{ ref('int_price_book_tiers') }} where tier_index = 1 and minimum_amount_minor = 0),
items as (select * from {{ ref('int_subscription_items') }} where is_alive and not is_deleted),
subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }}),
described as (select * from {{ ref('dim_subscriptions') }}),
customers as (select * from {{ ref('dim_customers') }} where not is_deleted),
daily_usage as (select * from {{ ref('fct_usage_daily') }}),

-- of prices alike one is sold today; who pays another has it for a reason, and the variant could not tell them apart
catalogue as ({{ catalogue_places('sold', 'products') }}),

priced as (

    select
        variants.account_id,
        variants.experiment_id,
        prices.price_id,
        prices.currency,
        bool_and(catalogue.place is not null) as is_in_catalogue,
        bool_and(variants.is_control or book_tiers.book is not null) as is_priced
    from variants
    inner join prices
        on
            variants.account_id = prices.account_id
            and variants.plan = coalesce(prices.plan, '')
            and variants.meter = prices.meter_event_name
    left join catalogue on {{ same_keys('prices', 'catalogue', ['account_id', 'price_id']) }} and catalogue.place = 1
    left join book_tiers
        on
            {{ same_keys('prices', 'book_tiers', ['account_id', 'price_id', 'currency']) }}
            and variants.price_book = book_tiers.book
    group by variants.account_id, variants.experiment_id, prices.price_id, prices.currency

),

placed as (

    select
        variants.account_id,
        variants.experiment_id,
        variants.as_of,
        variants.pre_days,
        variants.most_risk,
        variants.most_share,
        variants.starts_on,
        variants.is_released = 'true' as is_released,
        variants.seed,
        customers.customer_id,
        customers.segment,
        coalesce(customers.plan, '') as plan,
        customers.created_at,
        customers.is_delinquent,
        subscriptions.subscription_id,
        subscriptions.status,
        described.has_discount,
        subscriptions.subscription_schedule_id is not null as has_schedule,
        subscriptions.cancel_at_period_end or subscriptions.cancel_at is not null as is_ending,
        items.subscription_item_id,
        items.price_id,
        items.currency,
        items.first_day,
        priced.is_in_catalogue,
        priced.is_priced,
        count(*) over (partition by variants.account_id, variants.experiment_id, items.customer_id) as items_n,
        row_number() over (
            partition by variants.account_id, variants.experiment_id, items.customer_id
            order by items.started_at, items.subscription_item_id
        ) as item_number
    from variants
    inner join priced on {{ same_keys('variants', 'priced', ['account_id', 'experiment_id']) }}
    inner join items on {{ same_keys('priced', 'items', ['account_id', 'price_id', 'currency']) }}
    inner join customers
        on
            {{ same_keys('items', 'customers', ['account_id', 'customer_id']) }}
            and coalesce(variants.segment = customers.segment, variants.segment is null)
    inner join subscriptions on {{ same_keys('items', 'subscriptions', ['account_id', 'subscription_id']) }}
    inner join described on {{ same_keys('items', 'described', ['account_id', 'subscription_id']) }}
    where variants.is_control

),

used as (

    select
        placed.account_id,
        placed.experiment_id,
        placed.customer_id,
        sum(daily_usage.quantity) as quantity
    from placed
    inner join daily_usage
        on
            {{ same_keys('placed', 'daily_usage', ['account_id', 'subscription_item_id']) }}
            and daily_usage.usage_date between placed.as_of - cast(placed.pre_days as integer) + 1 and placed.as_of
    where placed.item_number = 1
    group by placed.account_id, placed.experiment_id, placed.customer_id

)

select
    placed.*,
    coalesce(used.quantity, 0) as quantity
from placed
left join used on {{ same_keys('placed', 'used', ['account_id', 'experiment_id', 'customer_id']) }}
where placed.item_number = 1
