with

risks as (select * from {{ ref('stg_ml__churn_risk') }}),
reasons as (select * from {{ ref('int_churn_reasons_worded') }}),
current_days as (select * from {{ ref('int_as_of') }}),
customers as (select * from {{ ref('dim_customers') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
labels as (select * from {{ ref('churn_labels') }}),
no_reason as (select * from {{ ref('message_templates') }} where locale = 'en' and kind = 'churn_reason_none'),

scored_days as (

    select distinct
        account_id,
        as_of,
        horizon_days

    from risks

),

base_rates as (

    select
        scored_days.account_id,
        scored_days.as_of,
        scored_days.horizon_days,
        cast(avg(cast(labels.is_churned as integer)) as {{ double_type() }}) as base_rate

    from scored_days
    inner join labels
        on
            scored_days.account_id = labels.account_id
            and scored_days.horizon_days = labels.horizon_days
            -- what was not known on that day is not counted
            and labels.matured_on <= scored_days.as_of
    group by scored_days.account_id, scored_days.as_of, scored_days.horizon_days

),

valued as (

    select
        risks.account_id,
        risks.customer_id,
        risks.as_of,
        coalesce(risks.as_of = current_days.as_of, false) as is_current,
        risks.horizon_days,
        risks.probability,
        risks.baseline_probability,
        base_rates.base_rate,
        customers.currency,
        coalesce(months.mrr_minor, 0) as mrr_minor,
        -- a probability of six decimals: money is not multiplied by floating point
        cast(round(
            coalesce(months.mrr_minor, 0) * cast(risks.probability as decimal(9, 6))
        ) as bigint) as mrr_at_risk_minor,
        coalesce(reasons.reasons, no_reason.body) as reasons,
        risks.method,
        risks.model_name,
        risks.model_version,
        risks.run_id

    from risks
    cross join no_reason
    inner join current_days
        on
            risks.account_id = current_days.account_id
            -- a replay of an earlier day does not know what was said later
            and risks.as_of <= current_days.as_of
    inner join customers
        on
            risks.account_id = customers.account_id
            and risks.customer_id = customers.customer_id
    left join months
        on
            risks.account_id = months.account_id
            and risks.customer_id = months.customer_id
            and customers.currency = months.currency
            and months.month_start = date_trunc('month', risks.as_of)
    left join base_rates
        on
            risks.account_id = base_rates.account_id
            and risks.as_of = base_rates.as_of
            and risks.horizon_days = base_rates.horizon_days
    left join reasons
        on
            risks.account_id = reasons.account_id
            and risks.customer_id = reasons.customer_id
            and risks.as_of = reasons.as_of

)

select * from valued
