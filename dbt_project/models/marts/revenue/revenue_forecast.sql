{# The band is of the customers there are: new business and what a seed adds to it moves it, and does not widen it. #}
{{ config(post_hook="{{ keep_as_said('revenue_forecast_said', 'is_current') }}") }}
with

levels as (select * from {{ ref('int_revenue_forecast_levels') }}),
trends as (select * from {{ ref('stg_ml__revenue_trend') }}),
notes as (select * from {{ ref('int_revenue_forecast_notes') }}),
currencies as (select * from {{ ref('currencies') }}),

added as (

    select
        *,
        committed_book_minor + metered_book_minor as existing_book_minor,
        committed_book_minor + metered_book_minor + usage_growth_minor as existing_minor
    from levels

),

banded as (

    select
        added.*,
        currencies.minor_unit_exponent,
        notes.annotations,
        case
            when added.months_ahead <= 3 and added.customers_with_usage_forecast > 0 then 'daily_model'
            else coalesce(trends.method, companies.method)
        end as method,
        companies.model_version,
        {{ end_of_band('added.existing_minor', 'added.new_business_minor', 'trends.q025') }} as q025_minor,
        {{ end_of_band('added.existing_minor', 'added.new_business_minor', 'trends.q10') }} as q10_minor,
        {{ end_of_band('added.existing_minor', 'added.new_business_minor', 'trends.q90') }} as q90_minor,
        {{ end_of_band('added.existing_minor', 'added.new_business_minor', 'trends.q975') }} as q975_minor
    from added
    inner join trends as companies
        on
            added.account_id = companies.account_id
            and added.as_of = companies.as_of
            and added.months_ahead = companies.months_ahead
            and companies.level = 'company'
    left join trends
        on
            {{ same_keys('added', 'trends', ['account_id', 'as_of', 'level', 'plan', 'months_ahead']) }}
            and (added.currency = trends.currency or added.level = 'company')
    left join notes
        on {{ same_keys('added', 'notes', ['account_id', 'level', 'plan', 'currency', 'month_start']) }}
    left join currencies
        on added.currency = currencies.currency

)

select
    account_id,
    as_of,
    level,
    plan,
    currency,
    month_start,
    months_ahead,
    true as is_current,
    minor_unit_exponent,
    mrr_now_minor,
    existing_minor + new_business_minor as mrr_minor,
    12 * (existing_minor + new_business_minor) as arr_minor,
    committed_book_minor + new_business_minor as committed_mrr_minor,
    metered_book_minor + usage_growth_minor as usage_revenue_minor,
    existing_book_minor,
    usage_growth_minor,
    new_business_minor,
    override_minor,
    q025_minor,
    q10_minor,
    q90_minor,
    q975_minor,
    customers,
    customers_at_base_rate,
    customers_without_hazard,
    currencies_without_rate,
    annotations,
    method,
    model_version
from banded
