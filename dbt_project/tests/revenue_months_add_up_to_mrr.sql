-- Fails for each customer, currency and month whose MRR by plan, which the revenue forecast learns from, is not its MRR.
with

by_plan as (

    select
        account_id,
        customer_id,
        currency,
        month_start,
        sum(committed_mrr_minor) as committed_mrr_minor,
        sum(metered_mrr_minor) as metered_mrr_minor
    from {{ ref('revenue_months') }}
    group by
        account_id,
        customer_id,
        currency,
        month_start

)

select months.*
from {{ ref('fct_mrr_monthly') }} as months
left join by_plan
    on {{ same_keys('months', 'by_plan', ['account_id', 'customer_id', 'currency', 'month_start']) }}
where
    months.committed_mrr_minor != coalesce(by_plan.committed_mrr_minor, 0)
    or months.metered_mrr_minor != coalesce(by_plan.metered_mrr_minor, 0)
