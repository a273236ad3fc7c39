{# Of several runs that judged a day the one of the latest day decides, and of those the newest, also by not finding it
   unusual any more. Quantities are the warehouse's own, which may have been corrected since. #}
with

days as (select * from {{ ref('stg_ml__usage_anomaly_days') }}),
judged as (select * from {{ ref('stg_ml__usage_anomaly_runs') }}),
current_days as (select * from {{ ref('int_as_of') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }} where is_counted),
usage_periods as (select * from {{ ref('int_usage_periods') }}),

runs as (

    select judged.*
    from judged
    inner join current_days
        on
            judged.account_id = current_days.account_id
            -- a replay of an earlier day does not know what was said later
            and judged.as_of <= current_days.as_of

),

marked as (

    select distinct
        account_id,
        usage_date
    from days

),

decided as (

    select
        marked.account_id,
        marked.usage_date,
        {{ latest_by('runs.run_id', ['runs.as_of', 'runs.scored_at', 'runs.run_id']) }} as run_id
    from marked
    inner join runs
        on
            marked.account_id = runs.account_id
            and marked.usage_date between runs.judged_from and runs.as_of
    group by
        marked.account_id,
        marked.usage_date

),

found as (

    select
        days.account_id,
        days.subscription_item_id,
        usage_daily.customer_id,
        usage_daily.meter_id,
        usage_daily.meter_event_name,
        usage_daily.currency,
        days.usage_date,
        days.incident_start,
        days.is_anomaly,
        days.is_rule_baseline,
        days.score,
        days.detectors,
        days.history_days,
        days.model_version,
        usage_daily.quantity,
        {{ exact('days.expected_quantity') }} as expected_quantity,
        {{ exact('days.related_ratio') }} as related_ratio,
        {{ exact('days.company_share') }} as company_share,
        usage_periods.period_start,
        coalesce(usage_periods.aggregation_formula, 'unknown') = 'last' as is_last_value,
        row_number() over (
            partition by days.account_id, days.subscription_item_id, days.usage_date
            order by usage_periods.period_start desc
        ) as newest_first
    from days
    inner join decided
        on {{ same_keys('days', 'decided', ['account_id', 'usage_date', 'run_id']) }}
    inner join usage_daily
        on {{ same_keys('days', 'usage_daily', ['account_id', 'subscription_item_id', 'usage_date']) }}
    left join usage_periods
        on
            {{ same_keys('days', 'usage_periods', ['account_id', 'subscription_item_id']) }}
            and days.usage_date >= usage_periods.counts_from
            and days.usage_date < usage_periods.period_end

)

select {{ columns_of('found', [
    'account_id', 'subscription_item_id', 'customer_id', 'meter_id', 'meter_event_name', 'currency', 'usage_date',
    'incident_start', 'is_anomaly', 'is_rule_baseline', 'score', 'detectors', 'history_days', 'model_version',
    'quantity', 'expected_quantity', 'related_ratio', 'company_share', 'period_start', 'is_last_value',
]) }}
from found
where newest_first = 1
