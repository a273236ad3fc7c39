{# The served model's held-out figures, in the card's words: `ml` measured them on days that each refit had not seen. #}
with

performance as (select * from {{ ref('model_performance') }} where model_name = 'usage_forecast' and said = 'training'),
current_days as (select * from {{ ref('int_as_of') }}),

-- run ids sort by time; the newest run says which version serves, also after a roll-back
newest as (

    select
        performance.account_id,
        max(performance.run_id) as run_id
    from performance
    inner join current_days
        on
            performance.account_id = current_days.account_id
            and performance.as_of <= current_days.as_of
    group by performance.account_id

),

segmented as (

    select
        performance.account_id,
        performance.metric,
        performance.n,
        -- `ml` gives per cent, and coverage as a share
        cast(performance.value as decimal(18, 6)) as figure,
        cast(0.01 * performance.value as decimal(18, 6)) as share,
        cast(0.01 * performance.baseline_value as decimal(18, 6)) as baseline_share,
        case
            when performance.segment like 'plan:%' then 'plan'
            when performance.segment like 'class:%' then 'demand_class'
            when performance.segment like 'meter:%' then 'meter'
            else 'all'
        end as segment_kind,
        case
            when performance.segment like 'plan:%' then substring(performance.segment, 6)
            when performance.segment like 'class:%' then substring(performance.segment, 7)
            when performance.segment like 'meter:%' then substring(performance.segment, 7)
            else 'all'
        end as segment,
        case
            when performance.segment like 'week:%' or performance.segment like 'days:%' then performance.segment
            else 'all'
        end as bucket

    from performance
    inner join newest
        on {{ same_keys('performance', 'newest', ['account_id', 'run_id']) }}
    where
        performance.segment = 'all'
        or performance.segment like 'plan:%'
        or performance.segment like 'class:%'
        or performance.segment like 'meter:%'
        or performance.segment like 'week:%'
        or performance.segment like 'days:%'

),

pivoted as (

    select
        account_id,
        segment_kind,
        segment,
        bucket,
        max(case when metric = 'wape' then n end) as n,
        max(case when metric = 'bias' then share end) as bias,
        max(case when metric = 'wape' then share end) as wape,
        max(case when metric = 'wape' then baseline_share end) as baseline_wape,
        max(case when metric = 'cov80' then figure end) as cov80,
        max(case when metric = 'cov95' then figure end) as cov95

    from segmented
    group by
        account_id,
        segment_kind,
        segment,
        bucket

)

select
    account_id,
    'backtest' as said,
    'usage_day' as subject,
    segment_kind,
    segment,
    bucket,
    n,
    bias,
    wape,
    cast(null as decimal(18, 6)) as median_error,
    case when baseline_wape is null then 0 else n end as n_compared,
    wape as compared_wape,
    baseline_wape,
    cast(null as decimal(18, 6)) as baseline_median_error,
    cov80,
    cov95
from pivoted
where n is not null
