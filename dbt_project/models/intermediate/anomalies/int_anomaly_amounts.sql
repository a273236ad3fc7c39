{# What an incident changes on the bills of the periods it touches: each as it is, less what it would come to with the
   expected quantity, by the one rating rule, so at the customer's own place among the tiers. A period that is open is
   taken as the forecast says it will end. #}
with

days as (select * from {{ ref('int_anomaly_days') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),
open_periods as (select * from {{ ref('int_open_periods_forecast') }}),

touched as (

    select
        account_id,
        subscription_item_id,
        incident_start,
        period_start,
        -- what a last value was less without one day is not known: days of such a meter do not add up
        max(case when is_last_value then 1 else 0 end) = 1 as is_last_value,
        {{ sum_within('quantity - expected_quantity') }} as excess_quantity
    from days
    group by
        account_id,
        subscription_item_id,
        incident_start,
        period_start

),

measured as (

    select
        touched.account_id,
        touched.subscription_item_id,
        touched.incident_start,
        touched.period_start,
        touched.is_last_value,
        touched.excess_quantity,
        periods.price_id,
        periods.currency,
        coalesce(open_periods.projected_quantity, periods.quantity) as quantity,
        open_periods.projected_quantity is not null as is_projected
    from touched
    left join periods
        on {{ same_keys('touched', 'periods', ['account_id', 'subscription_item_id', 'period_start']) }}
    left join open_periods
        on
            {{ same_keys('periods', 'open_periods', ['account_id', 'subscription_item_id', 'period_start']) }}
            and periods.is_open

),

sides as (

    select
        'with' as side,
        measured.*
    from measured
    union all
    select
        'without' as side,
        {{ columns_of('measured', [
            'account_id', 'subscription_item_id', 'incident_start', 'period_start', 'is_last_value',
            'excess_quantity', 'price_id', 'currency',
        ]) }},
        measured.quantity - measured.excess_quantity as quantity,
        measured.is_projected
    from measured

),

rated as ({{ rate_totals('sides', ['subscription_item_id', 'incident_start', 'period_start', 'side']) }}),

totals as (

    select
        measured.account_id,
        measured.subscription_item_id,
        measured.incident_start,
        max(case when measured.is_projected then 1 else 0 end) = 1 as is_projected,
        count(*) = count(case when not measured.is_last_value then with_it.rated_amount_minor end)
        and count(*) = count(without_it.rated_amount_minor) as is_rated,
        cast(sum(with_it.rated_amount_minor) as bigint) as rated_amount_minor,
        cast(sum(with_it.rated_amount_minor - without_it.rated_amount_minor) as bigint) as excess_amount_minor
    from measured
    left join rated as with_it
        on
            {{ same_keys(
                'measured', 'with_it', ['account_id', 'subscription_item_id', 'incident_start', 'period_start']
            ) }}
            and with_it.side = 'with'
    left join rated as without_it
        on
            {{ same_keys(
                'measured', 'without_it', ['account_id', 'subscription_item_id', 'incident_start', 'period_start']
            ) }}
            and without_it.side = 'without'
    group by
        measured.account_id,
        measured.subscription_item_id,
        measured.incident_start

)

select
    account_id,
    subscription_item_id,
    incident_start,
    is_projected,
    case when is_rated then rated_amount_minor end as rated_amount_minor,
    case when is_rated then excess_amount_minor end as excess_amount_minor
from totals
