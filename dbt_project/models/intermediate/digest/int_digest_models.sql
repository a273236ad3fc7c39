{# The newest held-out figures of each model beside its baseline's: one line a model. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
current_days as (select * from {{ ref('int_as_of') }}),
performance as (select * from {{ ref('stg_ml__model_performance') }} where segment = 'all'),
served as (select * from {{ ref('usage_forecast') }} where is_current),
risks as (select * from {{ ref('churn_risk') }} where is_current),

newest as (

    select
        model_name,
        metric,
        {{ latest_by('value', ['as_of', 'run_id']) }} as value,
        {{ latest_by('baseline_value', ['as_of', 'run_id']) }} as baseline_value

    from performance
    group by model_name, metric

),

methods as (

    select
        'digest_usage_forecast' as kind,
        {{ commonest('method') }} as method
    from served

    union all

    select
        'digest_churn_risk' as kind,
        {{ commonest('method') }} as method
    from risks

),

filled as (

    select
        current_days.account_id,
        'models' as section,
        3 as section_number,
        case templates.kind when 'digest_usage_forecast' then 1 else 2 end as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'method': "replace(methods.method, '_', ' ')",
            'wape': figure_to_text("max(case when newest.metric = 'wape' then newest.value end)", 1),
            'naive_wape': figure_to_text("max(case when newest.metric = 'wape' then newest.baseline_value end)", 1),
            'coverage': share_to_text("max(case when newest.metric = 'cov80' then newest.value end)"),
            'loss': figure_to_text("max(case when newest.metric = 'log_loss' then newest.value end)", 3),
            'baseline_loss': figure_to_text("max(case when newest.metric = 'log_loss' then newest.baseline_value end)", 3),
        }) }} as text

    from current_days
    cross join templates
    inner join methods
        on templates.kind = methods.kind
    inner join newest
        on templates.kind = 'digest_' || newest.model_name
    where methods.method is not null
    group by current_days.account_id, templates.kind, templates.body, methods.method

)

select * from filled
