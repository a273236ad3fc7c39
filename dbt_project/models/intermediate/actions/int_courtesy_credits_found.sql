{% set cost = share_of_money('anomalies.excess_amount_minor', 'billed.net_share') %}
with

-- a spike that a new price or a new meter explains is no accident
anomalies as (select * from {{ ref('usage_anomalies') }} where kind = 'spike' and is_unexplained),
current_days as (select * from {{ ref('int_as_of') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),
invoices as (select * from {{ ref('int_invoices') }} where status in ('open', 'paid')),
-- (spikes are few, lines are many)
lines as (
    select * from {{ ref('fct_invoice_lines') }}
    where is_metered and subscription_item_id in (select anomalies.subscription_item_id from anomalies)
),
months as (select * from {{ ref('fct_mrr_monthly') }}),
risks as ({{ risks_ahead() }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'courtesy_credit'),
effects as ({{ measured_effects('courtesy_credit') }}),
rules as (
    {{ rules_of('courtesy_credit', ['least_confidence', 'felt_months']) }}
),
-- no cap for a currency: no credit in it
caps as (select * from {{ ref('action_caps') }}),

-- what a discount left of the price; what is void, written off, or on no invoice was not paid
billed as (
    select
        {{ columns_of('lines', ['account_id', 'invoice_id', 'subscription_item_id']) }},
        {{ share_of('sum(lines.amount_minor - coalesce(lines.discount_minor, 0))', 'sum(lines.amount_minor)') }}
            as net_share
    from lines
    inner join invoices on {{ same_keys('lines', 'invoices', ['account_id', 'invoice_id']) }}
    group by lines.account_id, lines.invoice_id, lines.subscription_item_id
    -- of nothing there is no share, and least() of nothing and the cap would be the cap
    having sum(lines.amount_minor) > 0
),

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
        {{ cost }} as excess_amount_minor,
        anomalies.currency,
        cast(anomalies.period_start as timestamp) as period_start,
        periods.subscription_id,
        periods.price_id,
        anomalies.rated_amount_minor as period_amount_minor,
        caps.floor_minor,
        caps.cap_minor,
        least({{ share_of_money(cost, 'kinds.amount_share') }}, caps.cap_minor) as amount_minor,
        cast({{ chance_of_spike('anomalies.score', 'anomalies.unusual_days') }} as decimal(9, 6)) as confidence,
        rules.least_confidence,
        -- revenue of the last period without the spike itself
        greatest(coalesce(months.mrr_minor, 0) - {{ cost }}, 0) as mrr_minor,
        -- nobody who has not been scored, or has cancelled, is kept by it
        coalesce(risks.probability, 0) as risk,
        coalesce(risks.base_rate, 0) as base_rate,
        coalesce(effects.effect_low, kinds.effect_low) as effect_low,
        coalesce(effects.effect, kinds.effect) as effect,
        coalesce(effects.effect_high, kinds.effect_high) as effect_high,
        cast(rules.felt_months as integer) as felt_months,
        {{ value_months('kinds.value_months') }} as value_months

    from anomalies
    inner join current_days on anomalies.account_id = current_days.account_id
    cross join kinds
    cross join rules
    inner join caps on kinds.kind = caps.kind and anomalies.currency = caps.currency
    inner join periods
        on {{ same_keys('anomalies', 'periods', ['account_id', 'subscription_item_id', 'period_start']) }}
    inner join billed on {{ same_keys('periods', 'billed', ['account_id', 'invoice_id', 'subscription_item_id']) }}
    left join effects on anomalies.account_id = effects.account_id
    left join months
        on
            {{ same_keys('anomalies', 'months', ['account_id', 'customer_id', 'currency']) }}
            and months.month_start = {{ month_start('current_days.as_of') }}
    left join risks on {{ same_keys('anomalies', 'risks', ['account_id', 'customer_id']) }}
    where
        anomalies.excess_amount_minor > 0
        -- what the spike cost is known when its period is over; the window runs from then
        and not periods.is_open
        and not periods.is_trial
        and anomalies.ended_on <= current_days.as_of
        and periods.period_end > current_days.as_of - kinds.window_days

),

chosen as (select * from found where amount_minor >= floor_minor and confidence >= least_confidence),

retained as ({{ retained_months('chosen', 'anomaly_id', 'value_months') }}),

-- the cost is certain, what the credit keeps of revenue at risk is assumed
valued as (

    select
        chosen.*,
        {% for suffix in ['_low', '', '_high'] -%}
            {% set kept = share_of_money('chosen.mrr_minor', 'retained.kept' ~ suffix) -%}
            {{ kept }} - chosen.amount_minor as expected_value{{ suffix }}_minor,
        {% endfor -%}
        retained.kept as months_kept

    from chosen
    inner join retained
        on {{ same_keys('chosen', 'retained', ['account_id', 'anomaly_id']) }}

)

select * from valued
