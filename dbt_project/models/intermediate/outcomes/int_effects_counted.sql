{# Every measure of every arm added up, of each month in which it began and of all of them; sums are decimals, so that
   their order does not matter. #}
with

-- what a price on trial does is told by price_experiments, against its control and not before its last day
treatments as (select * from {{ ref('int_treatments') }} where is_first and kind != 'price_test_assignment'),
matches as (select * from {{ ref('int_treatment_matches') }} where kind != 'price_test_assignment'),
windows as (select * from {{ ref('int_windows_measured') }}),

subjects as (

    select
        account_id,
        kind,
        arm,
        {{ month_start('started_on') }} as month_start,
        customer_id,
        currency,
        started_on
    from treatments
    union all
    select
        account_id,
        kind,
        'matched' as arm,
        month_start,
        customer_id,
        currency,
        started_on
    from matches

),

measured as (

    select
        subjects.account_id,
        subjects.kind,
        subjects.arm,
        subjects.month_start,
        windows.horizon_days,
        {{ share_of('least(windows.mrr_minor, 100 * starts.mrr_minor)', 'starts.mrr_minor') }} - 1 as mrr_change,
        windows.usage_change,
        cast(case when windows.is_paid then 1 when not windows.is_paid then 0 end as decimal(18, 6)) as paid_share,
        cast(cast(windows.has_churned as integer) as decimal(18, 6)) as churn_share
    from subjects
    inner join windows
        on
            {{ same_keys('subjects', 'windows', ['account_id', 'customer_id', 'currency', 'started_on']) }}
            and windows.horizon_days > 0
    inner join windows as starts
        on
            {{ same_keys('subjects', 'starts', ['account_id', 'customer_id', 'currency', 'started_on']) }}
            and starts.horizon_days = 0

),

named as (

    {% for metric in ['mrr_change', 'usage_change', 'paid_share', 'churn_share'] -%}
        select
            account_id,
            kind,
            arm,
            month_start,
            horizon_days,
            '{{ metric }}' as metric,
            {{ metric }} as measure
        from measured
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}

),

placed as (

    select * from named
    union all
    select
        account_id,
        kind,
        arm,
        cast(null as date) as month_start,
        horizon_days,
        metric,
        measure
    from named

),

counted as (

    select
        account_id,
        kind,
        arm,
        month_start,
        horizon_days,
        metric,
        count(measure) as n,
        cast(sum(measure) as {{ double_type() }}) as total,
        cast(sum(measure * measure) as {{ double_type() }}) as squares
    from placed
    group by account_id, kind, arm, month_start, horizon_days, metric

)

select
    account_id,
    kind,
    arm,
    month_start,
    horizon_days,
    metric,
    cast(n as bigint) as n,
    total as hits,
    {{ share_of('total', 'n', 'double') }} as mean,
    -- of a single one it says nothing, and nobody asks
    greatest({{ share_of('squares - ' ~ share_of('total * total', 'n', 'double'), 'n - 1', 'double') }}, 0) as variance
from counted
