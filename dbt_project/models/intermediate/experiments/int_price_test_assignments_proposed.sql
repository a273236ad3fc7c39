{# Assigned customers who are not at their variant's price yet are moved to it while the experiment runs. What it
   changes is what their last 30 days would have cost at the new price less what they cost: the answer is tested. #}
{% set key = ['account_id', 'experiment_id', 'variant'] %}
{% set item = ['account_id', 'subscription_item_id'] %}
{% set terms = ['account_id', 'product_id', 'meter_id', 'billing_interval', 'interval_count'] %}
with

states as (
    select * from {{ ref('int_price_experiment_states') }} where state = 'running' and not is_control
),
assignments as (select * from {{ ref('price_experiment_assignments') }} where enrolled_on is not null),
items as (select * from {{ ref('int_subscription_items') }} where is_alive and not is_deleted),
prices as (select * from {{ ref('stg_stripe__prices') }} where is_active and not is_deleted),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),
customers as (select * from {{ ref('dim_customers') }}),
currencies as (select * from {{ ref('currencies') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'price_test_assignment'),
daily_usage as (select * from {{ ref('fct_usage_daily') }}),
locks as (select * from {{ ref('contract_locks') }}),

to_move as (

    select
        {{ columns_of('assignments', key) }},
        assignments.customer_id,
        assignments.subscription_id,
        assignments.subscription_item_id,
        assignments.price_id,
        assignments.currency,
        made.price_id as new_price_id,
        items.meter_id,
        states.as_of,
        states.starts_on,
        states.ends_on
    from assignments
    inner join states on {{ same_keys('assignments', 'states', key) }}
    inner join items on {{ same_keys('assignments', 'items', item + ['price_id']) }}
    inner join prices on {{ same_keys('assignments', 'prices', ['account_id', 'price_id']) }}
    inner join prices as made
        on
            {{ same_keys('prices', 'made', terms) }}
            and assignments.currency = made.currency
            and assignments.experiment_id = made.experiment_id
            and assignments.variant = made.experiment_variant

),

-- a contract may have been signed since the draw
locked as ({{ locked_subscriptions('to_move', 'locks') }}),

used as (

    select
        to_move.account_id,
        to_move.subscription_item_id,
        to_move.currency,
        to_move.price_id,
        to_move.new_price_id,
        coalesce(sum(daily_usage.quantity), 0) as quantity
    from to_move
    left join daily_usage
        on
            {{ same_keys('to_move', 'daily_usage', item) }}
            and daily_usage.usage_date between to_move.as_of - 29 and to_move.as_of
    group by
        to_move.account_id, to_move.subscription_item_id, to_move.currency, to_move.price_id, to_move.new_price_id

),

at_both as (

    select
        {{ columns_of('used', item) }},
        currency,
        price_id,
        quantity
    from used
    union all
    select
        {{ columns_of('used', item) }},
        currency,
        new_price_id as price_id,
        quantity
    from used

),

costs as ({{ rate_totals('at_both', ['subscription_item_id']) }}),

valued as (

    select
        to_move.*,
        now.rated_amount_minor as cost_minor,
        new.rated_amount_minor as new_cost_minor,
        new.rated_amount_minor - now.rated_amount_minor as change_minor,
        {{ safe_name('customers.name', 'to_move.customer_id') }} as customer,
        {{ safe_name('meters.meter_name', 'to_move.meter_id') }} as meter,
        currencies.minor_unit_exponent,
        preconditions.precondition,
        {{ value_months('kinds.value_months') }} as months
    from to_move
    inner join costs as now on {{ same_keys('to_move', 'now', item + ['price_id']) }}
    inner join costs as new
        on
            {{ same_keys('to_move', 'new', item) }}
            and to_move.new_price_id = new.price_id
    inner join customers on {{ same_keys('to_move', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies on to_move.currency = currencies.currency
    inner join preconditions on {{ same_keys('to_move', 'preconditions', ['account_id', 'subscription_id']) }}
    left join meters on {{ same_keys('to_move', 'meters', ['account_id', 'meter_id']) }}
    left join locked on {{ same_keys('to_move', 'locked', ['account_id', 'subscription_id']) }}
    cross join kinds
    where locked.subscription_id is null

)

{{ price_test_proposals('valued') }}
