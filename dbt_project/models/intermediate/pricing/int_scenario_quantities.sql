{# What scenarios rate: the quantities of history and forecast with what today's prices make of them, whom a contract
   binds, and how usage is assumed to answer a price. #}
{% set columns = ['account_id', 'customer_id', 'subscription_id', 'price_id', 'currency', 'period_start', 'quantity'] %}
with

billed as (select * from {{ ref('int_quantities_billed') }}),
ahead as (select * from {{ ref('int_quantities_ahead') }}),
tiers as (select * from {{ ref('int_price_book_tiers') }} where book = 'today'),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
customers as (select * from {{ ref('dim_customers') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
as_of as (select * from {{ ref('int_as_of') }}),
costs as ({{ unit_costs() }}),
answers as ({{ elasticities('usage') }}),
locks as ({{ price_locks() }}),

together as (

    select
        {{ columns_of('billed', columns) }},
        'history' as basis,
        billed.month_start,
        0 as period_days,
        cast(1 as decimal(18, 6)) as weight,
        1 as repeats,
        billed.invoiced_minor
    from billed
    union all
    select
        {{ columns_of('ahead', columns) }},
        'forecast' as basis,
        cast(null as date) as month_start,
        ahead.period_days,
        ahead.weight,
        ahead.repeats,
        cast(null as bigint) as invoiced_minor
    from ahead

),

numbered as (

    select
        *,
        row_number() over (
            order by account_id, basis, customer_id, subscription_id, price_id, period_start, quantity, invoiced_minor
        ) as quantity_id
    from together

),

rated as ({{ rate_totals('numbered', ['quantity_id'], 'tiers') }}),

described as (

    select
        numbered.*,
        rated.rated_amount_minor as today_minor,
        customers.segment,
        subscriptions.plan,
        subscriptions.started_at,
        case when prices.usage_type = 'metered' then prices.meter_event_name else 'licensed' end as meter_event_name,
        prices.usage_type = 'metered' as is_metered,
        {{ share_of('12 * prices.interval_count', 'intervals.intervals_per_year') }} as period_months,
        tiers.marginal_price,
        case when prices.usage_type = 'metered' then costs.unit_cost_decimal else 0 end as unit_cost_decimal,
        locks.locked_until,
        as_of.as_of
    from numbered
    inner join as_of
        on numbered.account_id = as_of.account_id
    inner join prices
        on {{ same_keys('numbered', 'prices', ['account_id', 'price_id']) }}
    left join intervals
        on prices.billing_interval = intervals.billing_interval
    left join rated
        on {{ same_keys('numbered', 'rated', ['account_id', 'quantity_id']) }}
    left join customers
        on {{ same_keys('numbered', 'customers', ['account_id', 'customer_id']) }}
    left join subscriptions
        on {{ same_keys('numbered', 'subscriptions', ['account_id', 'subscription_id']) }}
    left join tiers
        on
            {{ same_keys('numbered', 'tiers', ['account_id', 'price_id', 'currency']) }}
            and {{ is_in_tier('numbered.quantity', 'tiers') }}
    left join costs
        on
            prices.meter_event_name = costs.meter_event_name
            and numbered.currency = costs.currency
    left join locks
        on
            {{ same_keys('numbered', 'locks', ['account_id', 'subscription_id']) }}

)

select
    described.*,
    coalesce(answers.low, 0) as elasticity_low,
    coalesce(answers.mid, 0) as elasticity_mid,
    coalesce(answers.high, 0) as elasticity_high
from described
left join answers
    on
        described.is_metered
        and described.meter_event_name = answers.meter_event_name
        and coalesce(described.segment, '') = answers.segment
