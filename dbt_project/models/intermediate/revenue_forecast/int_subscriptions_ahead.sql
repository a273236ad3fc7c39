{# What each subscription is expected to be worth at the ends of the next twelve months: what it is worth now, and
   what its usage adds or takes, times the chance that its customer is still there; nothing once it is booked to end.
   Each part is rounded once, to whole minor units. #}
with

subscriptions as (select * from {{ ref('int_subscriptions_planned') }}),
growth as (select * from {{ ref('int_usage_growth_ahead') }}),
ends as (select * from {{ ref('int_subscription_ends') }}),
-- who has cancelled already stays until the end that is booked
risks as (
    select * from {{ ref('churn_risk') }}
    where
        is_current
        and horizon_days = {{ churn_horizon_days() }}
        and treatment != 'leaving'
),
as_of as (select * from {{ ref('int_as_of') }}),

-- the share of customers that left within the horizon: for whoever has no risk of its own
base_rates as (

    select
        account_id,
        max(base_rate) as base_rate,
        max(horizon_days) as horizon_days
    from risks
    group by account_id

),

ahead as (

    select
        subscriptions.*,
        growth.months_ahead,
        growth.method,
        growth.model_version,
        as_of.as_of,
        {{ add_months(month_start('as_of.as_of'), 'growth.months_ahead') }} as month_start,
        case
            when risks.customer_id is not null then 'churn_risk'
            when base_rates.base_rate is not null then 'base_rate'
            else 'none'
        end as hazard_source,
        coalesce(risks.probability, base_rates.base_rate, 0) as probability,
        coalesce(risks.horizon_days, base_rates.horizon_days, 1) as horizon_days,
        cast(case
            when growth.months_ahead = 1 then subscriptions.level_1_minor
            when growth.months_ahead = 2 then subscriptions.level_2_minor
            else subscriptions.level_3_minor
        end as decimal(18, 0)) as level_minor,
        case when growth.months_ahead > 3 then growth.growth_since_3 else 1 end as level_growth,
        growth.growth
    from subscriptions
    inner join as_of
        on subscriptions.account_id = as_of.account_id
    inner join growth
        on {{ same_keys('subscriptions', 'growth', ['account_id', 'plan', 'currency']) }}
    left join risks
        on
            subscriptions.account_id = risks.account_id
            and subscriptions.customer_id = risks.customer_id
    left join base_rates
        on subscriptions.account_id = base_rates.account_id

),

surviving as (

    select
        ahead.*,
        coalesce(ends.ends_at < {{ end_of_day(month_end('ahead.month_start')) }}, false) as is_ended,
        {{ survival(
            'ahead.probability', 'ahead.horizon_days', days_from('ahead.as_of', month_end('ahead.month_start'))
        ) }} as survival
    from ahead
    left join ends
        on
            ahead.account_id = ends.account_id
            and ahead.subscription_id = ends.subscription_id

),

kept as (

    select
        *,
        case when is_ended then 0 else survival end as kept_share,
        level_minor * level_growth + cast(carried_minor as decimal(18, 0)) * growth - metered_mrr_minor as growth_minor
    from surviving

)

select
    account_id,
    subscription_id,
    customer_id,
    plan,
    currency,
    as_of,
    month_start,
    months_ahead,
    hazard_source,
    has_paths,
    is_ended,
    survival,
    committed_mrr_minor + metered_mrr_minor as mrr_now_minor,
    cast(round(committed_mrr_minor * kept_share) as bigint) as committed_book_minor,
    cast(round(metered_mrr_minor * kept_share) as bigint) as metered_book_minor,
    cast(round(cast(growth_minor as decimal(24, 6)) * kept_share) as bigint) as usage_growth_minor,
    method,
    model_version
from kept
