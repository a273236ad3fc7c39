with

spikes as (select * from {{ ref('int_usage_spikes') }}),
usage_periods as (select * from {{ ref('int_usage_periods') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),

spikes_begun as (

    select
        spikes.*,
        usage_periods.period_start,
        row_number() over (
            partition by spikes.account_id, spikes.subscription_item_id, spikes.usage_date
            order by usage_periods.period_start desc
        ) as newest_first
    from spikes
    inner join usage_periods
        on
            spikes.account_id = usage_periods.account_id
            and spikes.subscription_item_id = usage_periods.subscription_item_id
            and spikes.usage_date >= usage_periods.counts_from
            and spikes.usage_date < usage_periods.period_end
    -- what a last value was less without one day is not known: days of such a meter do not add up
    where coalesce(usage_periods.aggregation_formula, 'unknown') != 'last'

),

placed as (

    select
        spikes_begun.*,
        periods.price_id,
        periods.quantity as period_quantity,
        periods.rated_amount_minor,
        -- consecutive days share a start; a spike that crosses into the next period is another incident there
        spikes_begun.usage_date - cast(
            row_number() over (
                partition by spikes_begun.account_id, spikes_begun.subscription_item_id, spikes_begun.period_start
                order by spikes_begun.usage_date
            ) as integer
        ) as run_marker
    from spikes_begun
    inner join periods
        on {{ same_keys('spikes_begun', 'periods', ['account_id', 'subscription_item_id', 'period_start']) }}
    where spikes_begun.newest_first = 1

),

incidents as (

    select
        account_id,
        subscription_item_id,
        customer_id,
        meter_id,
        currency,
        period_start,
        price_id,
        period_quantity,
        rated_amount_minor,
        min(usage_date) as started_on,
        max(usage_date) as ended_on,
        cast(sum(quantity) as decimal(18, 6)) as quantity,
        cast(sum(expected_quantity) as decimal(18, 6)) as expected_quantity,
        cast(sum(quantity - expected_quantity) as decimal(18, 6)) as excess_quantity,
        max(score) as score
    from placed
    group by
        account_id,
        subscription_item_id,
        customer_id,
        meter_id,
        currency,
        period_start,
        price_id,
        period_quantity,
        rated_amount_minor,
        run_marker

),

without_excess as (

    select
        account_id,
        subscription_item_id,
        started_on,
        price_id,
        currency,
        period_quantity - excess_quantity as quantity
    from incidents

),

rated_without as ({{ rate_totals('without_excess', ['subscription_item_id', 'started_on']) }})

select
    incidents.account_id,
    'spike:' || incidents.subscription_item_id || ':' || incidents.started_on as anomaly_id,
    incidents.customer_id,
    incidents.subscription_item_id,
    incidents.meter_id,
    'spike' as kind,
    incidents.started_on,
    incidents.ended_on,
    incidents.quantity,
    incidents.expected_quantity,
    incidents.excess_quantity,
    incidents.score,
    cast(incidents.rated_amount_minor - rated_without.rated_amount_minor as bigint) as excess_amount_minor,
    incidents.currency,
    incidents.period_start
from incidents
left join rated_without
    on
        incidents.account_id = rated_without.account_id
        and incidents.subscription_item_id = rated_without.subscription_item_id
        and incidents.started_on = rated_without.started_on
