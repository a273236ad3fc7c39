{# Who may leave, and what an offer would cost and keep: the chance of leaving is taken to fall by the share `effect` as
   long as the coupon lasts, and the coupon is paid for whoever is there, also for those who would have stayed. #}
with

risks as ({{ risks_ahead() }}),
-- a coupon lowers one subscription, revenue is the customer's: whose bill is of several parts is left to a person
subscriptions as (
    select
        *,
        count(*) over (partition by account_id, customer_id) as subscriptions_living
    from {{ ref('dim_subscriptions') }}
    where status not in ('canceled', 'incomplete', 'incomplete_expired')
),
-- collected from, and on no schedule, which would undo the coupon
free as (
    select * from {{ ref('stg_stripe__subscriptions') }}
    where pause_behavior is null and subscription_schedule_id is null
),
months as (select * from {{ ref('fct_mrr_monthly') }}),
coupons as (select * from {{ ref('stg_stripe__coupons') }} where is_valid and not is_deleted),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'retention_offer'),
effects as ({{ measured_effects('retention_offer') }}),

ranked as (

    select
        *,
        row_number() over (partition by account_id order by probability desc, customer_id asc) as risk_rank,
        count(*) over (partition by account_id) as customers_scored

    from risks

),

numbered as (

    select
        kinds.kind,
        {{ columns_of('ranked', ['account_id', 'customer_id', 'as_of', 'horizon_days', 'base_rate']) }},
        {{ columns_of('ranked', ['risk_rank', 'customers_scored', 'reasons', 'model_version']) }},
        cast(ranked.probability as decimal(9, 6)) as probability,
        ranked.probability as risk,
        subscriptions.subscription_id,
        subscriptions.currency,
        months.committed_mrr_minor,
        months.mrr_minor,
        coupons.coupon_id,
        coupons.percent_off,
        coupons.duration_in_months,
        cast(coupons.duration_in_months as integer) as felt_months,
        kinds.value_months as advised_months,
        {{ value_months('kinds.value_months') }} as value_months,
        coalesce(effects.effect_low, kinds.effect_low) as effect_low,
        coalesce(effects.effect, kinds.effect) as effect,
        coalesce(effects.effect_high, kinds.effect_high) as effect_high,
        effects.account_id is not null as is_effect_measured,
        -- a coupon on a subscription lowers its metered lines too, so all of MRR counts;
        -- percent_off has six decimals: in millionths it is a whole number
        {{ divide_half_up(
            'months.mrr_minor * coupons.duration_in_months * cast(coupons.percent_off * 1000000 as bigint)',
            '100 * 1000000'
        ) }} as amount_minor

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
            {{ same_keys('ranked', 'subscriptions', ['account_id', 'customer_id']) }}
            and subscriptions.status = 'active'
            and subscriptions.subscriptions_living = 1
            and not subscriptions.has_discount
            -- also one that ends on a day that somebody has set
            and subscriptions.canceled_at is null
    inner join free
        on {{ same_keys('subscriptions', 'free', ['account_id', 'subscription_id']) }}
    inner join months
        on
            {{ same_keys('subscriptions', 'months', ['account_id', 'customer_id', 'currency']) }}
            and months.month_start = date_trunc('month', ranked.as_of)
    left join effects
        on ranked.account_id = effects.account_id
    where
        ranked.risk_rank <= ceil(kinds.top_share * ranked.customers_scored)
        and ranked.probability >= kinds.min_lift * ranked.base_rate
),

chosen as (select * from numbered where amount_minor > 0),
advised as ({{ retained_months('chosen', 'customer_id', 'advised_months') }}),
retained as ({{ retained_months('chosen', 'customer_id', 'value_months') }}),

valued as (

    select
        chosen.*,
        {% for months, suffix, name in [
            ('advised', '', 'advised'), ('retained', '_low', 'expected_value_low'),
            ('retained', '', 'expected_value'), ('retained', '_high', 'expected_value_high'),
        ] -%}
            {% set net = months ~ '.kept' ~ suffix ~ ' - 0.01 * chosen.percent_off * ' ~ months ~ '.felt' ~ suffix -%}
            {{ share_of_money('chosen.mrr_minor', net) }} as {{ name }}_minor,
        {% endfor -%}
        {{ share_of_money('chosen.mrr_minor', '0.01 * chosen.percent_off * retained.felt') }} as expected_cost_minor

    from chosen
    inner join advised
        on {{ same_keys('chosen', 'advised', ['account_id', 'customer_id']) }}
    inner join retained
        on {{ same_keys('chosen', 'retained', ['account_id', 'customer_id']) }}

)

-- an offer that costs more than it is expected to keep is not advised, over how many months it is measured or not
select * from valued
where advised_minor > 0
