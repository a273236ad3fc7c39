{# What leaking usage would have cost: each month of it rated as one period, and the months added up. #}
with

leaking_days as (select * from {{ ref('int_leaking_days') }}),
customers as (select * from {{ ref('stg_stripe__customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
prices as (select * from {{ ref('stg_stripe__prices') }} where is_active and not is_deleted),

-- of customers who never had an item: the meter's price, where it has but one in their currency
only_prices as (

    select
        account_id,
        meter_id,
        currency,
        max(price_id) as price_id
    from prices
    where meter_id is not null
    group by
        account_id,
        meter_id,
        currency
    having count(*) = 1

),

monthly as (

    select
        leaking_days.account_id,
        leaking_days.kind,
        leaking_days.customer_id,
        leaking_days.meter_id,
        leaking_days.subscription_id,
        leaking_days.subscription_item_id,
        coalesce(leaking_days.price_id, max(only_prices.price_id)) as price_id,
        coalesce(leaking_days.currency, max(only_prices.currency)) as currency,
        {{ month_start('leaking_days.usage_date') }} as month_start,
        min(leaking_days.usage_date) as since_day,
        -- values of a `last` meter do not add up; null beyond what can be rated
        {{ cast_or_null(
            "case when max(meters.aggregation_formula) = 'last' then "
            ~ latest_by('leaking_days.quantity', 'leaking_days.usage_date')
            ~ " else sum(leaking_days.quantity) end",
            'decimal(18, 6)'
        ) }} as quantity
    from leaking_days
    left join meters
        on {{ same_keys('leaking_days', 'meters', ['account_id', 'meter_id']) }}
    left join customers
        on {{ same_keys('leaking_days', 'customers', ['account_id', 'customer_id']) }}
    left join only_prices
        on
            {{ same_keys('leaking_days', 'only_prices', ['account_id', 'meter_id']) }}
            and customers.currency = only_prices.currency
            and leaking_days.price_id is null
    group by
        leaking_days.account_id,
        leaking_days.kind,
        leaking_days.customer_id,
        leaking_days.meter_id,
        leaking_days.subscription_id,
        leaking_days.subscription_item_id,
        leaking_days.price_id,
        leaking_days.currency,
        {{ month_start('leaking_days.usage_date') }}

),

rated as (
    {{ rate_totals('monthly', ['customer_id', 'meter_id', 'kind', 'subscription_item_id', 'month_start']) }}
)

select
    monthly.account_id,
    monthly.kind,
    monthly.customer_id,
    monthly.meter_id,
    monthly.subscription_id,
    monthly.subscription_item_id,
    max(monthly.price_id) as price_id,
    monthly.currency,
    min(monthly.since_day) as since_day,
    {{ cast_or_null('sum(monthly.quantity)', 'decimal(18, 6)') }} as quantity,
    {{ sum_if_known('rated.rated_amount_minor') }} as amount_minor
from monthly
left join rated
    on
        {{ same_keys('monthly', 'rated', ['account_id', 'price_id', 'customer_id', 'meter_id', 'kind']) }}
        and monthly.month_start = rated.month_start
        and coalesce(monthly.subscription_item_id, '') = coalesce(rated.subscription_item_id, '')
group by
    monthly.account_id,
    monthly.kind,
    monthly.customer_id,
    monthly.meter_id,
    monthly.subscription_id,
    monthly.subscription_item_id,
    monthly.currency
