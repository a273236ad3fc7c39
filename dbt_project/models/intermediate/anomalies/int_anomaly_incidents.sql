{% set rules = anomaly_rules() -%}
with

days as (select * from {{ ref('int_anomaly_days') }}),
current_days as (select * from {{ ref('int_as_of') }}),

marked as (

    select
        *,
        {{ iso_weekday('usage_date') }} >= 6 as is_weekend,
        case when score > 0 then 1 else -1 end as direction
    from days

),

grouped as (

    select
        account_id,
        subscription_item_id,
        incident_start,
        max(customer_id) as customer_id,
        max(meter_id) as meter_id,
        max(meter_event_name) as meter_event_name,
        max(currency) as currency,
        max(usage_date) as ended_on,
        cast(count(*) as integer) as days,
        cast(sum(case when is_anomaly then 1 else 0 end) as integer) as unusual_days,
        cast(sum(case when is_rule_baseline then 1 else 0 end) as integer) as rule_baseline_days,
        {{ sum_within('quantity') }} as quantity,
        {{ sum_within('expected_quantity') }} as expected_quantity,
        max(abs(score)) as score,
        -- its unusual days go one way
        max(case when is_anomaly then direction end) as direction,
        max(case when is_anomaly then quantity end) as largest_quantity,
        max(case when detectors like '%weekday%' then ', weekday' else '' end)
        || max(case when detectors like '%level%' then ', level' else '' end)
        || max(case when detectors like '%silence%' then ', silence' else '' end)
        || max(case when detectors like '%band%' then ', band' else '' end) as detectors,
        min(history_days) as history_days,
        {{ share_of('sum(related_ratio)', 'count(related_ratio)') }} as related_ratio,
        {{ share_of(
            'sum(case when is_anomaly then company_share end)', 'count(case when is_anomaly then company_share end)'
        ) }} as company_share,
        cast(sum(case when is_weekend then 1 else 0 end) as integer) as weekend_days,
        sum(case when is_weekend then quantity else 0 end) as weekend_quantity,
        sum(case when is_weekend then expected_quantity else 0 end) as weekend_expected,
        max(period_start) as period_start,
        max(model_version) as model_version
    from marked
    group by
        account_id,
        subscription_item_id,
        incident_start
    -- usage of its unusual days may be gone since, by a correction older than what is judged again
    having sum(case when is_anomaly then 1 else 0 end) > 0

)

select
    grouped.account_id,
    'anomaly:' || grouped.subscription_item_id || ':' || {{ date_text('grouped.incident_start') }} as anomaly_id,
    grouped.customer_id,
    grouped.subscription_item_id,
    grouped.meter_id,
    grouped.meter_event_name,
    grouped.currency,
    grouped.incident_start as started_on,
    grouped.ended_on,
    grouped.days,
    grouped.unusual_days,
    grouped.rule_baseline_days,
    grouped.direction,
    case
        when grouped.direction > 0 and grouped.days <= {{ rules.short_days }} then 'spike'
        when grouped.direction > 0 then 'surge'
        when grouped.largest_quantity = 0 then 'zero'
        when grouped.days <= {{ rules.short_days }} then 'drop'
        else 'dip'
    end as kind,
    case
        when {{ days_from('grouped.ended_on', 'current_days.as_of') }} <= {{ rules.still_open_days }} then 'open'
        else 'ended'
    end as state,
    grouped.quantity,
    grouped.expected_quantity,
    cast(grouped.quantity - grouped.expected_quantity as decimal(18, 6)) as excess_quantity,
    grouped.score,
    substr(grouped.detectors, 3) as detectors,
    grouped.history_days,
    grouped.related_ratio,
    grouped.company_share,
    grouped.weekend_days,
    {{ share_of('grouped.weekend_quantity', 'grouped.weekend_days') }} as weekend_mean,
    {{ share_of('grouped.quantity - grouped.weekend_quantity', 'grouped.days - grouped.weekend_days') }}
        as weekday_mean,
    {{ share_of('grouped.weekend_expected', 'grouped.weekend_days') }} as weekend_mean_expected,
    {{ share_of('grouped.expected_quantity - grouped.weekend_expected', 'grouped.days - grouped.weekend_days') }}
        as weekday_mean_expected,
    grouped.period_start,
    grouped.model_version,
    current_days.as_of
from grouped
inner join current_days
    on grouped.account_id = current_days.account_id
