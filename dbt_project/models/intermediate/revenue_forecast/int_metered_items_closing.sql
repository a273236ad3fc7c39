{# Metered MRR at the ends of the next three months as forecast periods say it: as it is defined (int_mrr_amounts),
   the last billing period closed by then, per month, only that the period is a forecast: the mean of its rated paths.
   A month end that no whole forecast period reaches carries the one before it; one by which none has closed has no
   row. #}
with

items as (select * from {{ ref('int_subscription_items') }} where is_alive),
paths as (select * from {{ ref('int_usage_paths_periods') }} where not is_backtest),
trials as (select * from {{ ref('fct_usage_periods') }} where is_open and is_trial),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
as_of as (select * from {{ ref('int_as_of') }}),

months as (

    select
        account_id,
        as_of,
        {{ numbers_between(1, 3) }} as months_ahead
    from as_of

)

select
    items.account_id,
    items.subscription_item_id,
    items.subscription_id,
    items.customer_id,
    items.currency,
    months.months_ahead,
    {{ latest_by(
        monthly_amount('paths.rated_amount_minor', 'intervals.intervals_per_year', 'prices.interval_count'),
        ['paths.period_end', 'paths.period_number']
    ) }} as level_minor
from paths
inner join items
    on
        paths.account_id = items.account_id
        and paths.subscription_item_id = items.subscription_item_id
inner join prices
    on
        items.account_id = prices.account_id
        and items.price_id = prices.price_id
inner join intervals
    on prices.billing_interval = intervals.billing_interval
inner join months
    on
        paths.account_id = months.account_id
        and paths.as_of = months.as_of
        -- a period that ends with a day has closed that day
        and paths.period_end
        <= {{ end_of_day(month_end(add_months(month_start('months.as_of'), 'months.months_ahead'))) }}
left join trials
    on
        paths.account_id = trials.account_id
        and paths.subscription_item_id = trials.subscription_item_id
        and paths.period_start = trials.period_start
where
    paths.rated_amount_minor is not null
    and trials.account_id is null
group by
    items.account_id,
    items.subscription_item_id,
    items.subscription_id,
    items.customer_id,
    items.currency,
    months.months_ahead
