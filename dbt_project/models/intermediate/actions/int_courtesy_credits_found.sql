with

-- a spike that a new price or a new meter explains is no accident
anomalies as (select * from {{ ref('usage_anomalies') }} where kind = 'spike' and is_unexplained),
current_days as (select * from {{ ref('int_as_of') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'courtesy_credit'),
-- no cap for a currency: no credit in it
caps as (select * from {{ ref('action_caps') }}),

found as (

    select
        anomalies.account_id,
        kinds.kind,
        current_days.as_of,
        anomalies.anomaly_id,
        anomalies.customer_id,
        anomalies.subscription_item_id,
        anomalies.meter_id,
        anomalies.started_on,
        anomalies.ended_on,
        anomalies.quantity,
        anomalies.expected_quantity,
        anomalies.excess_quantity,
        anomalies.excess_amount_minor,
        anomalies.currency,
        cast(anomalies.period_start as timestamp) as period_start,
        periods.subscription_id,
        periods.price_id,
        anomalies.rated_amount_minor as period_amount_minor,
        caps.floor_minor,
        caps.cap_minor,
        least(
            cast(round(anomalies.excess_amount_minor * kinds.amount_share) as bigint),
            caps.cap_minor
        ) as amount_minor,
        {{ share_of('anomalies.excess_quantity', 'anomalies.quantity') }} as excess_share

    from anomalies
    inner join current_days
        on anomalies.account_id = current_days.account_id
    cross join kinds
    inner join caps
        on
            kinds.kind = caps.kind
            and anomalies.currency = caps.currency
    inner join periods
        on
            anomalies.account_id = periods.account_id
            and anomalies.subscription_item_id = periods.subscription_item_id
            and anomalies.period_start = periods.period_start
    where
        anomalies.excess_amount_minor > 0
        -- what the spike cost is known when its period is over; the window runs from then
        and not periods.is_open
        -- what Stripe did not bill is not given back
        and not periods.is_trial
        and anomalies.ended_on <= current_days.as_of
        and periods.period_end > current_days.as_of - kinds.window_days

)

select * from found
where amount_minor >= floor_minor
