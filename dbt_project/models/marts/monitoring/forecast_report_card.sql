{% set keys = ['account_id', 'said', 'subject', 'segment_kind', 'segment', 'bucket'] %}
{% set figures = [
    'n', 'bias', 'wape', 'median_error', 'n_compared', 'compared_wape', 'baseline_wape', 'baseline_median_error',
    'cov80', 'cov95',
] %}
with

cells as (select * from {{ ref('int_forecast_cells') }}),
medians as (select * from {{ ref('int_forecast_medians') }}),
backtested_days as (select * from {{ ref('int_usage_days_backtested') }}),

{{ segmented_ctes('cells') }},

by_unit as (

    select
        account_id,
        said,
        subject,
        segment_kind,
        segment,
        part as bucket,
        unit,
        sum(n) as n,
        sum(n_compared) as n_compared,
        sum(n_banded) as n_banded,
        sum(n_in_80) as n_in_80,
        sum(n_in_95) as n_in_95,
        {{ share_of('sum(excess)', 'sum(size)') }} as bias,
        {{ share_of('sum(error)', 'sum(size)') }} as wape,
        {{ share_of('sum(compared_error)', 'sum(compared_size)') }} as compared_wape,
        {{ share_of('sum(baseline_error)', 'sum(compared_size)') }} as baseline_wape

    from segmented
    group by
        account_id,
        said,
        subject,
        segment_kind,
        segment,
        part,
        unit

),

judged as (

    select
        account_id,
        said,
        subject,
        segment_kind,
        segment,
        bucket,
        sum(n) as n,
        {{ mean_over_units('bias', 'n') }} as bias,
        {{ mean_over_units('wape', 'n') }} as wape,
        sum(n_compared) as n_compared,
        {{ mean_over_units('compared_wape', 'n_compared') }} as compared_wape,
        {{ mean_over_units('baseline_wape', 'n_compared') }} as baseline_wape,
        {{ share_of('sum(n_in_80)', 'sum(n_banded)') }} as cov80,
        {{ share_of('sum(n_in_95)', 'sum(n_banded)') }} as cov95

    from by_unit
    group by
        account_id,
        said,
        subject,
        segment_kind,
        segment,
        bucket

),

beside_medians as (

    select
        judged.*,
        medians.median_error,
        medians.baseline_median_error
    from judged
    left join medians
        on {{ same_keys('judged', 'medians', keys) }}

),

together as (

    select {{ columns_of('beside_medians', keys + figures) }} from beside_medians
    union all
    select {{ columns_of('backtested_days', keys + figures) }} from backtested_days

)

select
    account_id,
    said,
    subject,
    segment_kind,
    segment,
    bucket,
    cast(n as bigint) as n,
    bias,
    wape,
    median_error,
    cast(n_compared as bigint) as n_compared,
    case subject when 'usage_day' then 'seasonal_naive' when 'mrr' then 'unchanged' else 'run_rate' end
        as baseline_method,
    baseline_wape,
    baseline_median_error,
    coalesce(compared_wape > baseline_wape, false) as is_worse_than_baseline,
    cov80,
    cov95
from together
