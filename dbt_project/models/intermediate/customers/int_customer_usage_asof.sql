{# Usage of a customer on the days churn is judged on. Meters have units of their own, so each item's usage is put over
   its own mean before items are averaged. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
usage_trailing as (select * from {{ ref('int_usage_trailing') }}),
items as (select * from {{ ref('int_subscription_items') }}),
usage_periods as (select * from {{ ref('fct_usage_periods') }}),

item_days as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        {{ ratio_of('usage_trailing.mean_7', 'usage_trailing.mean_28') }} as usage_ratio_7_28,
        {{ ratio_of('usage_trailing.mean_28', 'usage_trailing.mean_91') }} as usage_ratio_28_91,
        {{ ratio_of('usage_trailing.mean_28', 'usage_trailing.mean_364') }} as usage_mean_28,
        usage_trailing.zero_share_28,
        usage_trailing.usage_date - usage_trailing.last_used_on as days_since_last_usage
    from customer_days
    inner join usage_trailing
        on
            customer_days.account_id = usage_trailing.account_id
            and customer_days.customer_id = usage_trailing.customer_id
            and customer_days.as_of_date = usage_trailing.usage_date
    inner join items
        on
            usage_trailing.account_id = items.account_id
            and usage_trailing.subscription_item_id = items.subscription_item_id
            and coalesce(items.ended_at >= customer_days.valued_until, true)

),

averaged as (

    select
        account_id,
        customer_id,
        as_of_date,
        -- decimals add up to the same in any order, doubles do not
        avg(cast(usage_ratio_7_28 as decimal(18, 9))) as usage_ratio_7_28,
        avg(cast(usage_ratio_28_91 as decimal(18, 9))) as usage_ratio_28_91,
        avg(cast(usage_mean_28 as decimal(18, 9))) as usage_mean_28,
        avg(cast(zero_share_28 as decimal(18, 9))) as zero_share_28,
        min(days_since_last_usage) as days_since_last_usage
    from item_days
    group by
        account_id,
        customer_id,
        as_of_date

),

quotas as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        arg_max(usage_periods.quota_share, usage_periods.period_end) as quota_share_last
    from customer_days
    inner join usage_periods
        on
            customer_days.account_id = usage_periods.account_id
            and customer_days.customer_id = usage_periods.customer_id
            and customer_days.valued_until >= usage_periods.period_end
    where usage_periods.quota_share is not null
    group by
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date

)

select
    averaged.*,
    cast(quotas.quota_share_last as double) as quota_share_last
from averaged
left join quotas
    on
        averaged.account_id = quotas.account_id
        and averaged.customer_id = quotas.customer_id
        and averaged.as_of_date = quotas.as_of_date
