{# How many rows each stage of the last run left: one line a stage. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
current_days as (select * from {{ ref('int_as_of') }}),
reports as (select * from {{ ref('stg_stripe__load_report') }}),

newest_run as (select {{ latest_by('run_id', ['finished_at', 'run_id']) }} as run_id from reports),

loaded as (

    select
        cast(coalesce(sum(case when reports.meter_id is null then reports.rows_read end), 0) as bigint) as objects,
        cast(coalesce(sum(case when reports.meter_id is not null then reports.rows_read end), 0) as bigint)
            as usage_days,
        cast(coalesce(sum(reports.rows_appended), 0) as bigint) as appended

    from reports
    inner join newest_run
        on reports.run_id = newest_run.run_id

),

built as (

    select
        (select count(*) from {{ ref('dim_customers') }}) as customers,
        (select count(*) from {{ ref('fct_usage_daily') }}) as usage_days,
        (select count(*) from {{ ref('fct_usage_periods') }}) as periods,
        (select count(*) from {{ ref('fct_invoices') }}) as invoices,
        (select count(*) from {{ ref('usage_forecast') }} where is_current) as forecasts,
        (
            select count(*) from {{ ref('churn_risk') }}
            where is_current and horizon_days = {{ churn_horizon_days() }}
        ) as risks,
        (select count(*) from {{ ref('recommendations') }}) as recommendations,
        (select count(*) from {{ ref('action_audit') }}) as ledger_events

),

filled as (

    select
        current_days.account_id,
        templates.kind,
        case templates.kind
            when 'digest_empty' then 1 when 'digest_load' then 2 when 'digest_build' then 3 when 'digest_score' then 4
            else 5
        end as line_number,
        built.customers,
        {{ fill_template('templates.body', {
            'objects': quantity_to_text('loaded.objects'),
            'usage_read': quantity_to_text('loaded.usage_days'),
            'appended': quantity_to_text('loaded.appended'),
            'customers': quantity_to_text('built.customers'),
            'usage_days': quantity_to_text('built.usage_days'),
            'periods': quantity_to_text('built.periods'),
            'invoices': quantity_to_text('built.invoices'),
            'forecasts': quantity_to_text('built.forecasts'),
            'risks': quantity_to_text('built.risks'),
            'recommendations': quantity_to_text('built.recommendations'),
            'ledger_events': quantity_to_text('built.ledger_events'),
        }) }} as text

    from current_days
    cross join loaded
    cross join built
    cross join templates
    where templates.kind in ('digest_empty', 'digest_load', 'digest_build', 'digest_score', 'digest_recommend')

)

select
    account_id,
    'rows' as section,
    1 as section_number,
    line_number,
    cast(null as {{ text_type() }}) as customer_id,
    text
from filled
where kind != 'digest_empty' or customers = 0
