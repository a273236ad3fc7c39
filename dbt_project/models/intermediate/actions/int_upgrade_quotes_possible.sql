{# Whom a quote may reach: customers without any subscription that lives, whose last one ended lately. A quote that
   is accepted begins a new subscription beside those there are, so one that still runs (also if only until the end
   of its period) rules it out: that customer would pay twice. Nor is anybody quoted who owes something, or has a
   quote to decide on. What the subscription held is quoted as a whole, each item on the higher plan or as it was.
   #}
{% set subscription = ['account_id', 'subscription_id'] %}
with

as_of as (select * from {{ ref('int_as_of') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
staged as (select * from {{ ref('stg_stripe__subscriptions') }} where not is_deleted),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted and not is_delinquent),
quotes as (select * from {{ ref('stg_stripe__quotes') }} where not is_deleted and status in ('draft', 'open')),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),
prices as (select * from {{ ref('dim_prices') }}),
pairs as (select * from {{ ref('int_plan_prices_paired') }} where is_higher),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'upgrade_quote'),

served as (
    select distinct
        account_id,
        customer_id
    from staged
    where status not in ('canceled', 'incomplete_expired')
),

quoted as (
    select distinct
        account_id,
        customer_id
    from quotes
),

ended as (

    select
        {{ columns_of('subscriptions', ['account_id', 'subscription_id', 'customer_id', 'currency', 'ended_at']) }},
        {{ columns_of('kinds', [
            'kind', 'min_quota_share', 'value_months', 'effect_low', 'effect', 'effect_high',
        ]) }},
        customers.livemode,
        as_of.as_of,
        row_number() over (
            partition by subscriptions.account_id, subscriptions.customer_id
            order by subscriptions.ended_at desc, subscriptions.subscription_id asc
        ) as place

    from subscriptions
    cross join kinds
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    -- Stripe bills a customer in one currency
    inner join customers
        on {{ same_keys('subscriptions', 'customers', ['account_id', 'customer_id', 'currency']) }}
    left join served
        on {{ same_keys('subscriptions', 'served', ['account_id', 'customer_id']) }}
    left join quoted
        on {{ same_keys('subscriptions', 'quoted', ['account_id', 'customer_id']) }}
    where
        subscriptions.ended_at >= cast(as_of.as_of - kinds.window_days as timestamp)
        and served.customer_id is null
        and quoted.customer_id is null
        and coalesce(subscriptions.cancellation_reason not in ('payment_failed', 'payment_disputed'), true)

),

-- the higher plans to which one of its items leads
plans as (

    select distinct
        {{ columns_of('items', subscription) }},
        {{ columns_of('pairs', ['next_product_id', 'next_product_name', 'next_plan_rank']) }}
    from items
    inner join pairs
        on {{ same_keys('items', 'pairs', ['account_id', 'price_id']) }}

),

lines as (

    select
        ended.*,
        {{ columns_of('plans', ['next_product_id', 'next_product_name', 'next_plan_rank']) }},
        {{ columns_of('items', ['subscription_item_id', 'price_id', 'meter_id']) }},
        items.quantity as licensed_quantity,
        {{ columns_of('prices', [
            'usage_type', 'included_units', 'product_name', 'billing_interval', 'interval_count',
        ]) }},
        coalesce(pairs.next_price_id, items.price_id) as next_price_id,
        pairs.next_included_units,
        pairs.next_price_id is not null as is_moved,
        -- what cannot be had any more stops the quote, and so does an item of the plan without a counterpart
        bool_and(pairs.next_price_id is not null or (prices.plan_rank is null and prices.is_active)) over (
            partition by ended.account_id, ended.subscription_id, plans.next_product_id
        ) as is_available

    from ended
    inner join plans
        on {{ same_keys('ended', 'plans', subscription) }}
    inner join items
        on {{ same_keys('ended', 'items', subscription) }}
    inner join prices
        on {{ same_keys('items', 'prices', ['account_id', 'price_id']) }}
    left join pairs
        on
            {{ same_keys('items', 'pairs', ['account_id', 'price_id']) }}
            and plans.next_product_id = pairs.next_product_id
    where ended.place = 1

)

select * from lines
where is_available
