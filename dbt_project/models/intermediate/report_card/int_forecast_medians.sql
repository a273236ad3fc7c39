{# The middle error in per cent of what came: what a typical period, invoice or month was missed by, the small ones as
   much as the large. Days of usage are too many, and too often zero, for that. #}
with

forecasts as (

    select {{ scored_columns() }} from {{ ref('int_usage_periods_scored') }}
    union all
    select {{ scored_columns() }} from {{ ref('int_invoices_scored') }}
    union all
    select {{ scored_columns() }} from {{ ref('int_mrr_scored') }}

),

missed as (

    select
        account_id,
        said,
        subject,
        plan,
        demand_class,
        currency,
        meter,
        bucket,
        {{ share_of('abs(median - actual)', 'abs(actual)') }} as error,
        {{ share_of('abs(baseline - actual)', 'abs(actual)') }} as baseline_error
    from forecasts

),

{{ segmented_ctes('missed') }}

select
    account_id,
    said,
    subject,
    segment_kind,
    segment,
    part as bucket,
    cast({{ median_of('error') }} as decimal(18, 6)) as median_error,
    cast({{ median_of('baseline_error') }} as decimal(18, 6)) as baseline_median_error
from segmented
group by
    account_id,
    said,
    subject,
    segment_kind,
    segment,
    part
