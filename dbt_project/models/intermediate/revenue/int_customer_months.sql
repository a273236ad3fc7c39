{# MRR of customers at month ends, from the first paid month of each currency on: zero where nothing counts, and whether
   any of the customer's subscriptions lives then. #}
with

spans as (select * from {{ ref('int_mrr_spans') }}),
states as (select * from {{ ref('int_subscription_states') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
valuation_days as (select * from {{ ref('int_valuation_days') }}),
as_of as (select * from {{ ref('int_as_of') }}),

by_customer as (

    select
        spans.account_id,
        spans.customer_id,
        spans.currency,
        valuation_days.month_start,
        sum(case when spans.component = 'committed' then spans.mrr_minor else 0 end) as committed_mrr_minor,
        sum(case when spans.component = 'metered' then spans.mrr_minor else 0 end) as metered_mrr_minor
    from spans
    inner join valuation_days
        on
            spans.account_id = valuation_days.account_id
            and spans.valid_from < valuation_days.valued_until
            and coalesce(valuation_days.valued_until <= spans.valid_to, true)
    group by
        spans.account_id,
        spans.customer_id,
        spans.currency,
        valuation_days.month_start

),

living as (

    select distinct
        states.account_id,
        subscriptions.customer_id,
        valuation_days.month_start
    from states
    inner join subscriptions
        on
            states.account_id = subscriptions.account_id
            and states.subscription_id = subscriptions.subscription_id
    inner join valuation_days
        on
            states.account_id = valuation_days.account_id
            and states.valid_from < valuation_days.valued_until
            and coalesce(valuation_days.valued_until <= states.valid_to, true)

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
        valuation_days.valued_on,
        cast(coalesce(by_customer.committed_mrr_minor, 0) as bigint) as committed_mrr_minor,
        cast(coalesce(by_customer.metered_mrr_minor, 0) as bigint) as metered_mrr_minor,
        living.customer_id is not null as is_living,
        valuation_days.valued_until <= as_of.landed_from as is_reconstructed
    from first_paid
    inner join valuation_days
        on
            first_paid.account_id = valuation_days.account_id
            and first_paid.first_month <= valuation_days.month_start
    inner join as_of
        on first_paid.account_id = as_of.account_id
    left join by_customer
        on
            first_paid.account_id = by_customer.account_id
            and first_paid.customer_id = by_customer.customer_id
            and first_paid.currency = by_customer.currency
            and valuation_days.month_start = by_customer.month_start
    left join living
        on
            first_paid.account_id = living.account_id
            and first_paid.customer_id = living.customer_id
            and valuation_days.month_start = living.month_start

)

select * from filled
