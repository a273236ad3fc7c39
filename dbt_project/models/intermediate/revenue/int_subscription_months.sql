{# MRR of subscriptions at month ends, with the plan that each was last billed by then; where no bill names one, the
   plan of its present items; else 'none'. Only where something counts: a month without a row is worth nothing. #}
with

spans as (select * from {{ ref('int_mrr_spans') }}),
valuation_days as (select * from {{ ref('int_valuation_days') }}),
plans as (select * from {{ ref('int_plan_history') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),

valued as (

    select
        spans.account_id,
        spans.subscription_id,
        spans.customer_id,
        spans.currency,
        valuation_days.month_start,
        valuation_days.valued_on,
        valuation_days.valued_until,
        cast(sum(case when spans.component = 'committed' then spans.mrr_minor else 0 end) as bigint)
            as committed_mrr_minor,
        cast(sum(case when spans.component = 'metered' then spans.mrr_minor else 0 end) as bigint)
            as metered_mrr_minor
    from spans
    inner join valuation_days
        on
            spans.account_id = valuation_days.account_id
            and spans.valid_from < valuation_days.valued_until
            and coalesce(valuation_days.valued_until <= spans.valid_to, true)
    group by
        spans.account_id,
        spans.subscription_id,
        spans.customer_id,
        spans.currency,
        valuation_days.month_start,
        valuation_days.valued_on,
        valuation_days.valued_until

)

select
    valued.account_id,
    valued.subscription_id,
    valued.customer_id,
    coalesce(plans.plan, subscriptions.plan, 'none') as plan,
    valued.currency,
    valued.month_start,
    valued.valued_on,
    valued.committed_mrr_minor,
    valued.metered_mrr_minor
from valued
left join plans
    on
        valued.account_id = plans.account_id
        and valued.subscription_id = plans.subscription_id
        and plans.known_from < valued.valued_until
        and coalesce(valued.valued_until <= plans.known_to, true)
left join subscriptions
    on
        valued.account_id = subscriptions.account_id
        and valued.subscription_id = subscriptions.subscription_id
