{# THE definition of MRR; its words are the doc block `mrr`. No other model turns a line, a price or a period into an
   amount per month: what items are worth as invoices tell it (before the first load), as observed (from then on), and as used. #}
with

licensed_periods as (select * from {{ ref('int_licensed_periods') }}),
committed_spans as (select * from {{ ref('int_committed_spans') }}),
usage_periods as (select * from {{ ref('fct_usage_periods') }}),
prices as (select * from {{ ref('dim_prices') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

-- what an invoice billed holds from when it was written to the next one, or a day beyond its period
invoiced as (

    select
        periods.account_id,
        periods.subscription_item_id,
        'committed' as component,
        greatest(periods.period_start, periods.invoiced_at) as valid_from,
        least(
            periods.period_end + interval '1 day',
            lead(greatest(periods.period_start, periods.invoiced_at)) over (
                partition by periods.account_id, periods.subscription_item_id order by periods.period_start
            )
        ) as valid_to,
        {{ monthly_amount('periods.amount_minor', 'intervals.intervals_per_year', 'periods.interval_count') }}
            as mrr_minor,
        true as is_rebuilt
    from licensed_periods as periods
    inner join intervals
        on periods.billing_interval = intervals.billing_interval

),

-- a period that ends with a day has closed that day; what it was rated at holds until the next one closes
used as (

    select
        periods.account_id,
        periods.subscription_item_id,
        'metered' as component,
        periods.period_end - interval '1 microsecond' as valid_from,
        lead(periods.period_end - interval '1 microsecond') over (
            partition by periods.account_id, periods.subscription_item_id
            order by periods.period_end, periods.period_start
        ) as valid_to,
        {{ monthly_amount('periods.rated_amount_minor', 'intervals.intervals_per_year', 'prices.interval_count') }}
            as mrr_minor,
        false as is_rebuilt
    from usage_periods as periods
    inner join prices
        on
            periods.account_id = prices.account_id
            and periods.price_id = prices.price_id
    inner join intervals
        on prices.billing_interval = intervals.billing_interval
    where
        periods.rated_amount_minor is not null
        -- usage in a trial is not billed
        and not coalesce(periods.is_trial, false)

),

amounts as (

    select * from invoiced
    union all
    select * from used
    union all
    select
        account_id,
        subscription_item_id,
        'committed' as component,
        valid_from,
        valid_to,
        mrr_minor,
        false as is_rebuilt
    from committed_spans

)

select * from amounts
