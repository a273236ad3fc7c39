with

customer_days as (select * from {{ ref('int_customer_days') }}),
customer_usage as (select * from {{ ref('int_customer_usage_asof') }}),
payments as (select * from {{ ref('int_customer_payments_asof') }}),
plans as (select * from {{ ref('int_customer_plans_asof') }}),
mrr as (select * from {{ ref('fct_mrr_monthly') }}),

assembled as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.is_scoring,
        customer_days.is_backfilled,
        cast(
            {{ days_from('customer_days.first_subscribed_on', 'customer_days.as_of_date') }} as {{ double_type() }}
        ) as tenure_days,
        customer_usage.usage_ratio_7_28,
        customer_usage.usage_ratio_28_91,
        customer_usage.usage_mean_28,
        customer_usage.zero_share_28,
        cast(customer_usage.days_since_last_usage as {{ double_type() }}) as days_since_last_usage,
        customer_usage.quota_share_last,
        cast(coalesce(payments.failed_payments_90d, 0) as {{ double_type() }}) as failed_payments_90d,
        cast(coalesce(payments.open_invoices, 0) as {{ double_type() }}) as open_invoices,
        cast(coalesce(mrr.mrr_minor, 0) as {{ double_type() }}) as mrr_minor,
        {{ share_of(
            'mrr.mrr_minor - mrr_before.mrr_minor', 'mrr_before.mrr_minor', 'double'
        ) }} as mrr_change_90d_share,
        cast(plans.seats as {{ double_type() }}) as seats,
        cast(case when plans.has_discount then 1 else 0 end as {{ double_type() }}) as has_discount,
        cast(plans.plan_rank as {{ double_type() }}) as plan_rank,
        cast(plans.months_since_upgrade as {{ double_type() }}) as months_since_upgrade
    from customer_days
    inner join plans
        on
            customer_days.account_id = plans.account_id
            and customer_days.customer_id = plans.customer_id
            and customer_days.as_of_date = plans.as_of_date
    left join customer_usage
        on
            customer_days.account_id = customer_usage.account_id
            and customer_days.customer_id = customer_usage.customer_id
            and customer_days.as_of_date = customer_usage.as_of_date
    left join payments
        on
            customer_days.account_id = payments.account_id
            and customer_days.customer_id = payments.customer_id
            and customer_days.as_of_date = payments.as_of_date
    left join mrr
        on
            customer_days.account_id = mrr.account_id
            and customer_days.customer_id = mrr.customer_id
            and customer_days.currency = mrr.currency
            and customer_days.month_start = mrr.month_start
    -- three month ends back, the nearest that MRR is valued at to 90 days
    left join mrr as mrr_before
        on
            customer_days.account_id = mrr_before.account_id
            and customer_days.customer_id = mrr_before.customer_id
            and customer_days.currency = mrr_before.currency
            and mrr_before.month_start = {{ add_months('customer_days.month_start', -3) }}

)

select * from assembled
