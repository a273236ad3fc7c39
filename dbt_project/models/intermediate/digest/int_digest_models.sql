{# The newest held-out figures of the churn model beside its baseline's; int_digest_forecasts has the usage model. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
current_days as (select * from {{ ref('int_as_of') }}),
performance as (select * from {{ ref('model_performance') }} where segment = 'all' and said = 'training'),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),

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
        'digest_churn_risk' as kind,
        {{ commonest('method') }} as method
    from risks

),

filled as (

    select
        current_days.account_id,
        'forecasts' as section,
        3 as section_number,
        6 as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'method': "replace(methods.method, '_', ' ')",
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
