{# Items of living subscriptions in the billing period that runs; the invoice of its end bills them. A period that has
   been invoiced already is over, and the next one runs. Metered items of customers with prepaid credits also stand in the
   periods that follow within the forecast (is_running false). #}
{% set columns = [
    'account_id', 'subscription_item_id', 'subscription_id', 'customer_id', 'price_id', 'product_id', 'currency',
    'is_metered', 'quantity', 'first_day', 'is_last', 'is_collected',
] %}
with

items as (select * from {{ ref('int_subscription_items') }} where is_alive and not is_deleted),
subscriptions as (select * from {{ ref('int_subscriptions') }} where standing in ('served', 'trialing')),
staged as (select * from {{ ref('stg_stripe__subscriptions') }}),
open_periods as (select * from {{ ref('fct_usage_periods') }} where is_open),
ahead as (select * from {{ ref('int_usage_periods_ahead') }} where is_scoring),
grants as (select * from {{ ref('int_credit_grants_live') }}),
prices as (select * from {{ ref('dim_prices') }}),
as_of as (select * from {{ ref('int_as_of') }}),

placed as (

    select
        items.account_id,
        items.subscription_item_id,
        items.subscription_id,
        subscriptions.customer_id,
        items.price_id,
        prices.product_id,
        subscriptions.currency,
        items.is_metered,
        coalesce(items.quantity, 1) as quantity,
        items.first_day,
        coalesce(
            subscriptions.cancel_at_period_end
            or (subscriptions.canceled_at is not null and staged.cancel_at <= items.current_period_end), false
        ) as is_last,
        staged.pause_behavior is null
        or coalesce(staged.resumes_at <= items.current_period_end, false) as is_collected,
        coalesce(open_periods.is_trial, items.current_period_start < items.trial_ends_at, false) as is_trial,
        coalesce(open_periods.period_start, items.current_period_start) as period_start,
        coalesce(open_periods.period_end, items.current_period_end) as period_end,
        as_of.as_of
    from items
    inner join subscriptions
        on {{ same_keys('items', 'subscriptions', ['account_id', 'subscription_id']) }}
    inner join staged
        on {{ same_keys('items', 'staged', ['account_id', 'subscription_id']) }}
    inner join as_of
        on items.account_id = as_of.account_id
    left join prices
        on {{ same_keys('items', 'prices', ['account_id', 'price_id']) }}
    left join open_periods
        on {{ same_keys('items', 'open_periods', ['account_id', 'subscription_item_id']) }}
    where
        open_periods.period_end is not null
        or (
            items.current_period_end > {{ end_of_day('as_of.as_of') }}
            and items.current_period_start < as_of.known_until
            and items.current_period_start < items.current_period_end
        )

),

credited as (
    select distinct
        account_id,
        customer_id
    from grants
)

select
    {{ columns | join(', ') }},
    is_trial,
    period_start,
    period_end,
    true as is_running,
    as_of
from placed
union all
select
    {{ columns_of('placed', columns) }},
    false as is_trial,
    ahead.period_start,
    ahead.period_end,
    false as is_running,
    placed.as_of
from placed
inner join credited
    on {{ same_keys('placed', 'credited', ['account_id', 'customer_id']) }}
inner join ahead
    on
        {{ same_keys('placed', 'ahead', ['account_id', 'subscription_item_id']) }}
        and placed.as_of = ahead.origin_date
        and placed.period_end <= ahead.period_start
where
    placed.is_metered
    and not placed.is_last
