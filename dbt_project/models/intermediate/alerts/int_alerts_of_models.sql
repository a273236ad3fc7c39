{# Whatever stands against the models: what their texts need, in words. Every part has the same columns. #}
{{ config(tags=['after_ml']) }}
with

drift as (select * from {{ ref('feature_drift') }} where is_current and is_breach),
performance as (select * from {{ ref('model_performance') }} where said = 'live' and is_breach),
quality as (select * from {{ ref('data_quality') }} where rows_affected > 0 and severity != 'info'),
current_days as (select * from {{ ref('int_as_of') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),

together as (

    select
        account_id,
        case when test = 'level' then 'alert_drift_level' else 'alert_drift_shape' end as template,
        'drift' as kind,
        'warning' as severity,
        alert_key as dedupe_key,
        model_name,
        replace(feature, '_', ' ') as what,
        segment,
        case
            when test = 'level' then {{ figure_to_text('100 * effect', 0) }} || ' %' else {{ figure_to_text('psi', 3) }}
        end as value,
        {{ figure_to_text('statistic_limit', 2) }} as bound,
        n,
        consequence as detail
    from drift
    where alert_key is not null
    union all
    select
        performance.account_id,
        'alert_performance' as template,
        'performance' as kind,
        'warning' as severity,
        performance.alert_key as dedupe_key,
        performance.model_name,
        replace(performance.model_name || ' ' || performance.metric, '_', ' ') as what,
        performance.segment,
        {{ figure_to_text('performance.value', 3) }} as value,
        {{ figure_to_text(
            'case when performance.value > performance.limit_high then performance.limit_high else performance.limit_low end', 3
        ) }} as bound,
        performance.n,
        performance.consequence as detail
    from performance
    inner join current_days
        on {{ same_keys('performance', 'current_days', ['account_id', 'as_of']) }}
    union all
    select
        account_id,
        'alert_data_quality' as template,
        'data_quality' as kind,
        case when severity = 'error' then 'critical' else 'warning' end as severity,
        'data_quality:' || check_name as dedupe_key,
        case when is_of_models then 'all' end as model_name,
        replace(check_name, '_', ' ') as what,
        object_kind as segment,
        '' as value,
        '' as bound,
        rows_affected as n,
        meaning || ' ' || what_to_do as detail
    from quality

)

select
    together.account_id,
    together.template,
    together.kind,
    together.severity,
    together.dedupe_key,
    together.model_name,
    together.what,
    coalesce('meter ' || meters.meter_event_name, replace(together.segment, ':', ' ')) as place,
    together.value,
    together.bound,
    {{ quantity_to_text('together.n') }} as n,
    together.detail
from together
left join meters
    on
        together.account_id = meters.account_id
        and together.segment = 'meter:' || meters.meter_id
