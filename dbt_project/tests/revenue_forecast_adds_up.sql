-- Fails for each currency and month whose forecast is not the sum of its plans', or whose forecast before overrides is not
-- the sum of its customers'.
{{ config(tags=['after_ml']) }}
with

plans as (

    select
        account_id,
        currency,
        month_start,
        sum(mrr_minor) as mrr_minor,
        sum(existing_book_minor) as existing_book_minor,
        sum(mrr_now_minor) as mrr_now_minor
    from {{ ref('revenue_forecast') }}
    where level = 'plan'
    group by
        account_id,
        currency,
        month_start

),

customers as (

    select
        account_id,
        currency,
        month_start,
        sum(committed_book_minor + metered_book_minor + usage_growth_minor) as mrr_minor
    from {{ ref('int_revenue_forecast_customers') }}
    group by
        account_id,
        currency,
        month_start

)

select currencies.*
from {{ ref('revenue_forecast') }} as currencies
left join plans
    on {{ same_keys('currencies', 'plans', ['account_id', 'currency', 'month_start']) }}
left join customers
    on {{ same_keys('currencies', 'customers', ['account_id', 'currency', 'month_start']) }}
where
    currencies.level = 'currency'
    and (
        currencies.mrr_minor != plans.mrr_minor
        or currencies.existing_book_minor != plans.existing_book_minor
        or currencies.mrr_now_minor != plans.mrr_now_minor
        or currencies.mrr_minor - currencies.override_minor - currencies.new_business_minor
        != coalesce(customers.mrr_minor, 0)
    )
