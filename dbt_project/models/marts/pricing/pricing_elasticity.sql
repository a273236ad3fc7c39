{# How usage moved where the marginal price of an item did (a plan or price change), beside items on unchanged prices
   in the same month: a regression through the origin of log quantity on log price. What moved the price is
   what the customer chose, so that this is no experiment: periods at an experiment's price are left out, whose effect
   price_experiments tells, once it is over. #}
with

periods as (select * from {{ ref('fct_usage_periods') }} where not is_open and not is_trial and quantity > 0),
tiers as (select * from {{ ref('int_price_book_tiers') }} where book = 'today'),
customers as (select * from {{ ref('dim_customers') }}),
levels as ({{ segments_and_all() }}),
as_of as (select * from {{ ref('int_as_of') }}),
tests as (select * from {{ ref('dim_prices') }} where experiment_id is not null),
templates as (select * from {{ ref('message_templates') }} where kind = 'pricing_observational' and locale = 'en'),

priced as (

    select
        periods.*,
        coalesce(periods.meter_event_name, periods.meter_id) as meter,
        tiers.marginal_price,
        {{ month_start('periods.period_end') }} as month_start,
        ln({{ share_of('periods.quantity', 'periods.days_in_period', 'double') }}) as log_quantity
    from periods
    inner join tiers
        on
            {{ same_keys('periods', 'tiers', ['account_id', 'price_id', 'currency']) }}
            and {{ is_in_tier('periods.quantity', 'tiers') }}
    left join tests on {{ same_keys('periods', 'tests', ['account_id', 'price_id']) }}
    where tiers.marginal_price > 0 and periods.days_in_period > 0 and tests.price_id is null

),

stepped as (

    select
        account_id,
        customer_id,
        meter,
        month_start,
        price_id != lag(price_id) over by_item as is_changed,
        -- decimals: sums do not depend on the order of rows
        cast(log_quantity - lag(log_quantity) over by_item as decimal(18, 9)) as quantity_step,
        cast(ln(marginal_price) - ln(lag(marginal_price) over by_item) as decimal(18, 9)) as price_step
    from priced
    window by_item as (
        partition by account_id, customer_id, subscription_id, meter_id, currency order by period_end, period_start
    )

),

trends as (

    select
        account_id,
        meter,
        month_start,
        {{ median_of('quantity_step') }} as trend
    from stepped
    where not is_changed
    group by account_id, meter, month_start

),

changes as (

    select
        stepped.account_id,
        stepped.meter,
        coalesce(customers.segment, 'none') as segment,
        stepped.price_step,
        cast(stepped.quantity_step - coalesce(trends.trend, 0) as decimal(18, 9)) as quantity_step
    from stepped
    left join trends
        on {{ same_keys('stepped', 'trends', ['account_id', 'meter', 'month_start']) }}
    left join customers on {{ same_keys('stepped', 'customers', ['account_id', 'customer_id']) }}
    where stepped.is_changed and abs(stepped.price_step) >= 0.01

),

summed as (

    select
        changes.account_id,
        changes.meter,
        levels.segment,
        count(*) as n,
        cast(sum(changes.price_step * changes.price_step) as {{ double_type() }}) as xx,
        cast(sum(changes.price_step * changes.quantity_step) as {{ double_type() }}) as xy,
        cast(sum(changes.quantity_step * changes.quantity_step) as {{ double_type() }}) as yy
    from changes
    inner join levels on levels.segment in ('all', changes.segment)
    group by changes.account_id, changes.meter, levels.segment

),

estimated as (

    select
        *,
        {{ share_of('xy', 'xx', 'double') }} as slope,
        -- half the 80 % interval, and none from fewer than five changes
        case when n >= 5 then {{ z_of('80') }} * {{ error_of_slope('xx', 'xy', 'yy', 'n') }} end as margin
    from summed

)

select
    estimated.account_id,
    estimated.meter as meter_event_name,
    estimated.segment,
    as_of.as_of,
    cast(estimated.n as integer) as n,
    cast(estimated.slope as decimal(18, 6)) as estimate,
    cast(estimated.slope - estimated.margin as decimal(18, 6)) as estimate_low,
    cast(estimated.slope + estimated.margin as decimal(18, 6)) as estimate_high,
    true as is_observational,
    templates.body as caveat
from estimated
inner join as_of on estimated.account_id = as_of.account_id
cross join templates
