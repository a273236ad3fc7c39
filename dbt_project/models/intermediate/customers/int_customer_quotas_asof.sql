{# Share of the quota that the last period closed by each day that churn is judged on had used, as it was known then. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
usage_periods as (select * from {{ ref('fct_usage_periods') }}),
revisions as (select * from {{ ref('stg_stripe__meter_usage_revisions') }} where grain = 'period'),

closed as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.valued_until,
        usage_periods.meter_id,
        usage_periods.period_start,
        usage_periods.period_end,
        usage_periods.included_units,
        usage_periods.quota_share,
        row_number() over (
            partition by customer_days.account_id, customer_days.customer_id, customer_days.as_of_date
            order by
                usage_periods.period_end desc, usage_periods.period_start desc, usage_periods.subscription_item_id asc
        ) as newest_first
    from customer_days
    inner join usage_periods
        on
            customer_days.account_id = usage_periods.account_id
            and customer_days.customer_id = usage_periods.customer_id
            and customer_days.valued_until >= usage_periods.period_end
    where usage_periods.quota_share is not null

)

select
    closed.account_id,
    closed.customer_id,
    closed.as_of_date,
    case
        when revisions.quantity is null then closed.quota_share
        else {{ share_of('revisions.quantity', 'closed.included_units') }}
    end as quota_share_last
from closed
-- what it was said to be before it was revised; before it was read at all, what was read first
left join revisions
    on
        closed.account_id = revisions.account_id
        and closed.meter_id = revisions.meter_id
        and closed.customer_id = revisions.customer_id
        and revisions.window_start = date_trunc('minute', closed.period_start)
        and revisions.window_end = date_trunc('minute', closed.period_end)
        and (revisions.revision = 1 or closed.valued_until > revisions.first_seen_at)
        and closed.valued_until <= revisions.superseded_at
where closed.newest_first = 1
