with

-- who has cancelled already is asked by a person, if at all
risks as (
    select * from {{ ref('churn_risk') }}
    where
        is_current
        and horizon_days = {{ churn_horizon_days() }}
        and treatment != 'leaving'
),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }} where is_valid and not is_deleted),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'retention_offer'),

ranked as (

    select
        *,
        row_number() over (partition by account_id order by probability desc, customer_id asc) as risk_rank,
        count(*) over (partition by account_id) as customers_scored

    from risks

),

numbered as (

    select
        ranked.account_id,
        kinds.kind,
        ranked.as_of,
        ranked.customer_id,
        ranked.horizon_days,
        cast(ranked.probability as decimal(9, 6)) as probability,
        cast(ranked.base_rate as decimal(9, 6)) as base_rate,
        ranked.risk_rank,
        ranked.customers_scored,
        ranked.reasons,
        ranked.model_version,
        subscriptions.subscription_id,
        subscriptions.currency,
        months.committed_mrr_minor,
        months.mrr_minor,
        coupons.coupon_id,
        coupons.percent_off,
        coupons.duration_in_months,
        {{ value_months('kinds.value_months') }} as value_months,
        kinds.effect_low,
        kinds.effect,
        kinds.effect_high,
        -- a coupon on a subscription lowers its metered lines too, so all of MRR counts;
        -- percent_off has six decimals: in millionths it is a whole number
        {{ divide_half_up(
            'months.mrr_minor * coupons.duration_in_months * cast(coupons.percent_off * 1000000 as bigint)',
            '100 * 1000000'
        ) }} as amount_minor,
        row_number() over (
            partition by ranked.account_id, ranked.customer_id
            order by subscriptions.started_at, subscriptions.subscription_id
        ) as subscription_number

    from ranked
    cross join kinds
    inner join coupons
        on
            ranked.account_id = coupons.account_id
            and kinds.coupon_id = coupons.coupon_id
            and coupons.percent_off > 0
            and coupons.duration_in_months > 0
    inner join subscriptions
        on
            ranked.account_id = subscriptions.account_id
            and ranked.customer_id = subscriptions.customer_id
            and subscriptions.status = 'active'
            and not subscriptions.has_discount
            and not subscriptions.cancel_at_period_end
    inner join months
        on
            subscriptions.account_id = months.account_id
            and subscriptions.customer_id = months.customer_id
            and subscriptions.currency = months.currency
            and months.month_start = date_trunc('month', ranked.as_of)
    where
        ranked.risk_rank <= ceil(kinds.top_share * ranked.customers_scored)
        and ranked.probability >= kinds.min_lift * ranked.base_rate
)

select * from numbered
where
    subscription_number = 1
    and amount_minor > 0
