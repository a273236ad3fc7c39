with

mrr_by_item as (select * from {{ ref('int_mrr_by_item') }}),
valuation_days as (select * from {{ ref('int_valuation_days') }}),

by_customer as (

    select
        account_id,
        customer_id,
        currency,
        month_start,
        sum(case when component = 'committed' then mrr_minor else 0 end) as committed_mrr_minor,
        sum(case when component = 'metered' then mrr_minor else 0 end) as metered_mrr_minor
    from mrr_by_item
    group by
        account_id,
        customer_id,
        currency,
        month_start

),

first_paid as (

    select
        account_id,
        customer_id,
        currency,
        min(month_start) as first_month
    from by_customer
    where committed_mrr_minor + metered_mrr_minor > 0
    group by
        account_id,
        customer_id,
        currency

),

filled as (

    select
        first_paid.account_id,
        first_paid.customer_id,
        first_paid.currency,
        valuation_days.month_start,
        cast(coalesce(by_customer.committed_mrr_minor, 0) as bigint) as committed_mrr_minor,
        cast(coalesce(by_customer.metered_mrr_minor, 0) as bigint) as metered_mrr_minor,
        cast(
            coalesce(by_customer.committed_mrr_minor + by_customer.metered_mrr_minor, 0) as bigint
        ) as mrr_minor
    from first_paid
    inner join valuation_days
        on
            first_paid.account_id = valuation_days.account_id
            and first_paid.first_month <= valuation_days.month_start
    left join by_customer
        on
            first_paid.account_id = by_customer.account_id
            and first_paid.customer_id = by_customer.customer_id
            and first_paid.currency = by_customer.currency
            and valuation_days.month_start = by_customer.month_start

)

select * from filled
