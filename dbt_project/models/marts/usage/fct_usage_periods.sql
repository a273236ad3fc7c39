with

periods as (select * from {{ ref('int_usage_periods') }}),
steps as (select * from {{ ref('fct_rating_steps') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),

amounts as (

    select
        account_id,
        subscription_item_id,
        period_start,
        {{ sum_of_steps() }} as rated_amount_minor
    from steps
    group by
        account_id,
        subscription_item_id,
        period_start

),

quotas as (

    select
        account_id,
        price_id,
        currency,
        max(upper_bound) as included_units
    from tiers
    where is_included
    group by
        account_id,
        price_id,
        currency

),

measured as (

    select
        periods.account_id,
        periods.subscription_item_id,
        periods.subscription_id,
        periods.customer_id,
        periods.meter_id,
        periods.meter_event_name,
        periods.aggregation_formula,
        periods.price_id,
        periods.currency,
        periods.period_start,
        periods.period_end,
        periods.is_open,
        periods.is_trial,
        cast(
            greatest(
                least(
                    cast(periods.period_end as date),
                    periods.as_of + 1
                ) - cast(periods.period_start as date),
                0
            ) as integer
        ) as days_elapsed,
        cast(cast(periods.period_end as date) - cast(periods.period_start as date) as integer) as days_in_period,
        periods.quantity,
        periods.is_estimated,
        quotas.included_units,
        {{ share_of('periods.quantity', 'quotas.included_units') }} as quota_share,
        amounts.rated_amount_minor,
        periods.invoiced_amount_minor,
        periods.invoice_id
    from periods
    left join quotas
        on
            periods.account_id = quotas.account_id
            and periods.price_id = quotas.price_id
            and periods.currency = quotas.currency
    left join amounts
        on
            periods.account_id = amounts.account_id
            and periods.subscription_item_id = amounts.subscription_item_id
            and periods.period_start = amounts.period_start

)

select * from measured
