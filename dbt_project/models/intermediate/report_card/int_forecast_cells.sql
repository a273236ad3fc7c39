{# Errors added up within one unit, plan, class and bucket, so that what follows is small however much was said. #}
with

forecasts as (

    select {{ scored_columns() }} from {{ ref('int_usage_days_scored') }}
    union all
    select {{ scored_columns() }} from {{ ref('int_usage_periods_scored') }}
    union all
    select {{ scored_columns() }} from {{ ref('int_invoices_scored') }}
    union all
    select {{ scored_columns() }} from {{ ref('int_mrr_scored') }}

),

added as (

    select
        account_id,
        said,
        subject,
        unit,
        plan,
        demand_class,
        currency,
        meter,
        bucket,
        count(*) as n,
        sum(abs(actual)) as size,
        sum(abs(median - actual)) as error,
        sum(expected - actual) as excess,

        -- where a baseline said something too
        count(baseline) as n_compared,
        sum(case when baseline is not null then abs(actual) end) as compared_size,
        sum(case when baseline is not null then abs(median - actual) end) as compared_error,
        sum(abs(baseline - actual)) as baseline_error,

        -- where there was a band
        count(q10) as n_banded,
        sum(case when actual between q10 and q90 then 1 else 0 end) as n_in_80,
        sum(case when actual between q025 and q975 then 1 else 0 end) as n_in_95

    from forecasts
    group by
        account_id,
        said,
        subject,
        unit,
        plan,
        demand_class,
        currency,
        meter,
        bucket

)

select * from added
