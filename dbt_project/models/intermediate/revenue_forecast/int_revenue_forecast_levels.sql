{# The parts of the forecast added up per plan and currency, per currency, and for the company in the reporting
   currency: totals of each currency, converted part by part at the rate of as_of. An amount in a currency without
   rate cannot be added; such currencies are counted. #}
{% set amounts = ['mrr_now_minor'] + revenue_parts() + ['override_minor'] %}
{% set keys = ['account_id', 'level', 'plan', 'currency', 'as_of', 'month_start', 'months_ahead'] %}
with

parts as (select * from {{ ref('int_revenue_forecast_parts') }}),
fx_rates as (select * from {{ ref('int_fx_rates') }}),
currencies as (select * from {{ ref('currencies') }}),

names as (

    select 'plan' as level
    union all
    select 'currency' as level
    union all
    select 'company' as level

),

levelled as (

    select
        parts.account_id,
        names.level,
        case when names.level = 'plan' then parts.plan else 'all' end as plan,
        case when names.level = 'company' then '{{ reporting_currency() }}' else parts.currency end as currency,
        parts.as_of,
        parts.month_start,
        parts.months_ahead,
        parts.currency as amount_currency,
        parts.customer_id,
        parts.hazard_source,
        parts.has_paths,
        {{ columns_of('parts', amounts) }}
    from parts
    cross join names

),

counted as (

    select
        {{ keys | join(', ') }},
        count(distinct case when hazard_source is not null then customer_id end) as customers,
        count(distinct case when hazard_source = 'base_rate' then customer_id end) as customers_at_base_rate,
        count(distinct case when hazard_source = 'none' then customer_id end) as customers_without_hazard,
        count(distinct case when has_paths then customer_id end) as customers_with_usage_forecast
    from levelled
    group by {{ keys | join(', ') }}

),

totals as (

    select
        {{ keys | join(', ') }},
        amount_currency,
        {{ sums_of(amounts, 'levelled') }}
    from levelled
    group by {{ keys | join(', ') }}, amount_currency

),

converted as (

    select
        {{ columns_of('totals', keys) }},
        totals.level = 'company'
        and (fx_rates.denominator is null or own.minor_unit_exponent is null) as is_without_rate,
        {{ at_level(amounts) }}
    from totals
    left join fx_rates
        on
            totals.amount_currency = fx_rates.from_currency
            and fx_rates.valid_from <= totals.as_of
            and coalesce(totals.as_of < fx_rates.valid_to, true)
    left join currencies as own
        on totals.amount_currency = own.currency
    left join currencies as reporting
        on reporting.currency = '{{ reporting_currency() }}'

)

select
    {{ columns_of('converted', keys) }},
    {{ sums_of(amounts, 'converted') }},
    cast(max(counted.customers) as integer) as customers,
    cast(max(counted.customers_at_base_rate) as integer) as customers_at_base_rate,
    cast(max(counted.customers_without_hazard) as integer) as customers_without_hazard,
    cast(max(counted.customers_with_usage_forecast) as integer) as customers_with_usage_forecast,
    cast(sum(case when converted.is_without_rate then 1 else 0 end) as integer) as currencies_without_rate
from converted
inner join counted
    on {{ same_keys('converted', 'counted', keys) }}
group by {{ columns_of('converted', keys) }}
