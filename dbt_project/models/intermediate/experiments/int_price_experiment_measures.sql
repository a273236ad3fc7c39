{# What each assigned customer used and was billed before an experiment and in it, whether it was moved or not, and
   whether it left. Logarithms are decimals: they add up to the same in any order, doubles do not. Bills are those of whole periods:
   what closed in the days before, and what began and closed within the days that count; in the currency of the price
   that varies, as who pays in two has two sums. #}
{% set key = ['account_id', 'experiment_id', 'variant', 'is_control', 'customer_id'] %}
with

assigned as (
    select * from {{ ref('price_experiment_assignments') }} where variant is not null and enrolled_on is not null
),
controls as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null and is_control),
daily_usage as (select * from {{ ref('fct_usage_daily') }} where is_counted),
invoices as (
    select
        *,
        subtotal_minor - discount_minor as bill_minor
    from {{ ref('fct_invoices') }}
    where billing_reason = 'subscription_cycle' and status not in ('draft', 'void')
),
churn_dates as (select * from {{ ref('int_churn_dates') }}),

windows as (

    select
        {{ columns_of('assigned', key) }},
        assigned.currency,
        controls.meter,
        controls.starts_on,
        controls.starts_on - cast(controls.pre_days as integer) as before_from,
        greatest(controls.starts_on, assigned.enrolled_on + 1) + cast(controls.settle_days as integer) as after_from,
        least(controls.ends_on, controls.as_of) as after_to
    from assigned
    inner join controls on {{ same_keys('assigned', 'controls', ['account_id', 'experiment_id']) }}

),

used as (

    select
        {{ columns_of('windows', key) }},
        sum(case when daily_usage.usage_date < windows.starts_on then daily_usage.quantity end) as before_quantity,
        count(distinct case when daily_usage.usage_date < windows.starts_on then daily_usage.usage_date end)
            as before_days,
        sum(case when daily_usage.usage_date >= windows.after_from then daily_usage.quantity end) as after_quantity,
        count(distinct case when daily_usage.usage_date >= windows.after_from then daily_usage.usage_date end)
            as after_days
    from windows
    inner join daily_usage
        on
            {{ same_keys('windows', 'daily_usage', ['account_id', 'customer_id']) }}
            and windows.meter = daily_usage.meter_event_name
            and daily_usage.usage_date between windows.before_from and windows.after_to
    group by {{ columns_of('windows', key) }}

),

billed as (

    select
        {{ columns_of('windows', key) }},
        sum(case when invoices.period_end <= windows.starts_on then invoices.bill_minor end)
            as before_minor,
        count(case when invoices.period_end <= windows.starts_on then 1 end) as before_bills,
        sum(case when invoices.period_start >= windows.after_from then invoices.bill_minor end)
            as after_minor,
        count(case when invoices.period_start >= windows.after_from then 1 end) as after_bills,
        max(case when invoices.period_end > windows.starts_on then invoices.bill_minor end)
            as highest_minor
    from windows
    inner join invoices
        on
            {{ same_keys('windows', 'invoices', ['account_id', 'customer_id', 'currency']) }}
            and invoices.period_end > windows.before_from
            and invoices.period_end < windows.after_to + 1
    group by {{ columns_of('windows', key) }}

),

left_since as (

    select
        {{ columns_of('windows', key) }},
        min(churn_dates.churned_on) as churned_on
    from windows
    inner join churn_dates
        on
            {{ same_keys('windows', 'churn_dates', ['account_id', 'customer_id']) }}
            and churn_dates.churned_on between windows.starts_on and windows.after_to
    group by {{ columns_of('windows', key) }}

)

select
    {{ columns_of('windows', key) }},
    {{ log_of_mean('used.before_quantity', 'used.before_days') }} as log_usage_before,
    -- fewer days say more about chance than about the customer
    case when used.after_days >= 14 then {{ log_of_mean('used.after_quantity', 'used.after_days') }} end
        as log_usage_after,
    {{ log_of_mean('billed.before_minor', 'billed.before_bills') }} as log_revenue_before,
    {{ log_of_mean('billed.after_minor', 'billed.after_bills') }} as log_revenue_after,
    left_since.churned_on,
    coalesce(
        billed.highest_minor > 0 and 2 * billed.highest_minor * billed.before_bills >= 3 * billed.before_minor, false
    ) as is_shocked
from windows
left join used on {{ same_keys('windows', 'used', key) }}
left join billed on {{ same_keys('windows', 'billed', key) }}
left join left_since on {{ same_keys('windows', 'left_since', key) }}
