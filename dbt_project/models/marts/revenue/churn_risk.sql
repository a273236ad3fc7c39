with

risks as (select * from {{ ref('stg_ml__churn_risk') }}),
reasons as (select * from {{ ref('int_churn_reasons_worded') }}),
bands as (select * from {{ ref('churn_bands') }}),
observed as (select * from {{ ref('int_churn_bands') }}),
current_days as (select * from {{ ref('int_as_of') }}),
customers as (select * from {{ ref('dim_customers') }}),
features as (select * from {{ ref('customer_asof') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
base_rates as (select * from {{ ref('int_churn_base_rates') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
no_reason as (select * from templates where kind = 'churn_reason_none'),
has_cancelled as (select * from templates where kind = 'churn_reason_leaving'),

banded as (

    select
        risks.account_id,
        risks.customer_id,
        risks.as_of,
        risks.horizon_days,
        max(bands.band_number) as band_number,
        ntile(10) over (
            partition by risks.account_id, risks.as_of, risks.horizon_days
            order by risks.probability desc, risks.customer_id asc
        ) as risk_decile

    from risks
    inner join bands
        on
            risks.horizon_days = bands.horizon_days
            and risks.probability >= bands.from_probability
    group by
        risks.account_id,
        risks.customer_id,
        risks.as_of,
        risks.horizon_days,
        risks.probability

),

valued as (

    select
        risks.account_id,
        risks.customer_id,
        risks.as_of,
        coalesce(risks.as_of = current_days.as_of, false) as is_current,
        risks.horizon_days,
        features.state,
        coalesce(risks.treatment, 'modelled') as treatment,
        risks.probability,
        risks.baseline_probability,
        base_rates.base_rate,
        bands.risk_band,
        observed.observed_share as band_observed_share,
        observed.observed_low as band_observed_low,
        observed.observed_high as band_observed_high,
        coalesce(observed.observed_n, 0) as band_observed_n,
        cast(banded.risk_decile as integer) as risk_decile,
        coalesce(
            features.state != 'leaving' and features.usage_left_91 <= {{ contracted_share() }}, false
        ) as is_contracting,
        features.usage_left_91 as usage_left,
        customers.currency,
        coalesce(months.mrr_minor, 0) as mrr_minor,
        -- a probability of six decimals: money is not multiplied by floating point
        cast(round(
            coalesce(months.mrr_minor, 0) * cast(risks.probability as decimal(9, 6))
        ) as bigint) as mrr_at_risk_minor,
        case
            when risks.treatment = 'leaving' then has_cancelled.body
            else coalesce(reasons.reasons, no_reason.body)
        end as reasons,
        {% for rank in (1, 2, 3) -%}
            reasons.reason_{{ rank }},
            reasons.contribution_{{ rank }},
        {% endfor -%}
        risks.other_contribution,
        risks.base_margin,
        risks.margin,
        risks.method,
        risks.model_name,
        risks.model_version,
        risks.run_id

    from risks
    cross join no_reason
    cross join has_cancelled
    inner join current_days
        on
            risks.account_id = current_days.account_id
            -- a replay of an earlier day does not know what was said later
            and risks.as_of <= current_days.as_of
    inner join customers
        on {{ same_keys('risks', 'customers', ['account_id', 'customer_id']) }}
    {% for relation in ('banded', 'reasons') -%}
        left join {{ relation }}
            on {{ same_keys('risks', relation, ['account_id', 'customer_id', 'as_of', 'horizon_days']) }}
    {% endfor -%}
    left join bands
        on {{ same_keys('banded', 'bands', ['horizon_days', 'band_number']) }}
    left join observed
        on {{ same_keys('banded', 'observed', ['account_id', 'horizon_days', 'band_number']) }}
    left join features
        on {{ same_keys('risks', 'features', ['account_id', 'customer_id']) }} and risks.as_of = features.as_of_date
    left join months
        on
            {{ same_keys('risks', 'months', ['account_id', 'customer_id']) }}
            and customers.currency = months.currency
            and months.month_start = date_trunc('month', risks.as_of)
    left join base_rates
        on {{ same_keys('risks', 'base_rates', ['account_id', 'as_of', 'horizon_days']) }}

)

select * from valued
