{# What a licensed item is worth a month while its subscription is observed: its quantity at its price, less what the
   recurring discounts of the moment leave. #}
{% set most = 10 %}
with

moments as (select * from {{ ref('int_licensed_moments') }}),
discounts as (select * from {{ ref('int_discount_spans') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

-- each quantity at each price is rated once
quantities as (

    select distinct
        account_id,
        price_id,
        currency,
        quantity,
        quantity as quantity_rated
    from moments

),

rated as ({{ rate_totals('quantities', ['currency', 'quantity_rated']) }}),

priced as (

    select
        moments.account_id,
        moments.subscription_id,
        moments.subscription_item_id,
        moments.product_id,
        moments.currency,
        moments.valid_from,
        moments.valid_to,
        moments.billing_interval,
        moments.interval_count,
        rated.rated_amount_minor as amount_minor
    from moments
    inner join rated
        on
            moments.account_id = rated.account_id
            and moments.price_id = rated.price_id
            and moments.currency = rated.currency
            and moments.quantity = rated.quantity_rated

),

applicable as (

    select
        priced.account_id,
        priced.subscription_id,
        priced.subscription_item_id,
        priced.valid_from,
        discounts.percent_off,
        discounts.amount_off_minor,
        discounts.owner_rank,
        min(case when discounts.owner_rank > 1 then discounts.owner_rank end) over (
            partition by priced.account_id, priced.subscription_id, priced.valid_from
        ) as whose,
        dense_rank() over (
            partition by priced.account_id, priced.subscription_id, priced.valid_from
            order by
                discounts.owner_rank,
                coalesce(discounts.subscription_item_id, ''),
                coalesce(discounts.position, 99),
                discounts.discount_id
        ) as step
    from priced
    inner join discounts
        on
            priced.account_id = discounts.account_id
            and priced.subscription_id = discounts.subscription_id
            and discounts.valid_from <= priced.valid_from
            and priced.valid_from < discounts.valid_to
            and coalesce(priced.subscription_item_id = discounts.subscription_item_id, true)
            and coalesce({{ is_in_list('priced.product_id', 'discounts.product_ids') }}, true)
            and coalesce(priced.currency = discounts.currency, true)

),

applied as (

    select * from applicable
    where
        owner_rank <= 2
        or whose = 3

),

{{ discount_steps(
    'discounted', 'priced', 'applied', keys=['account_id', 'subscription_id', 'valid_from'],
    bill=['billing_interval', 'interval_count'], most=most
) }}

select
    priced.account_id,
    priced.subscription_item_id,
    priced.valid_from,
    priced.valid_to,
    {{ monthly_amount('discounted.left_minor', 'intervals.intervals_per_year', 'priced.interval_count') }} as mrr_minor
from priced
inner join discounted_left as discounted
    on
        priced.account_id = discounted.account_id
        and priced.subscription_item_id = discounted.subscription_item_id
        and priced.valid_from = discounted.valid_from
inner join intervals
    on priced.billing_interval = intervals.billing_interval
