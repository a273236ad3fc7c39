{# How customers did by the plan that they first paid for and the quarter in which they came. They chose it. #}
{% set keys = ['account_id', 'customer_id', 'currency'] %}
with

history as (select * from {{ ref('int_plan_history') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
margins as (select * from {{ ref('int_customer_margins') }}),
as_of as (select * from {{ ref('int_as_of') }}),

first_plans as (

    select
        account_id,
        customer_id,
        {{ earliest_by('plan', ['known_from', 'plan_rank', 'plan']) }} as plan
    from history
    where plan is not null
    group by account_id, customer_id

),

-- months since the first paid one, of each customer
lives as (

    select
        {{ columns_of('months', keys) }},
        months.mrr_minor,
        case when months.is_living and months.mrr_minor > 0 then 1 else 0 end as paying,
        months.month_start,
        min(months.month_start) over (partition by {{ columns_of('months', keys) }}) as first_month,
        {{ month_start('as_of.as_of') }} as this_month
    from months
    inner join as_of
        on months.account_id = as_of.account_id

),

customers as (

    select
        {{ columns_of('lives', keys) }},
        date_trunc('quarter', lives.first_month) as cohort_start,
        max(lives.this_month) as this_month,
        lives.first_month,
        {% for month in (3, 6, 12) -%}
            max(
                case when lives.month_start = {{ add_months('lives.first_month', month) }} then lives.paying end
            ) as kept_{{ month }},
        {% endfor -%}
        max(case when lives.month_start = lives.first_month then lives.mrr_minor end) as first_mrr_minor,
        max(case when lives.month_start = lives.this_month then lives.mrr_minor end) as mrr_minor,
        max(case when lives.month_start = lives.this_month then lives.paying else 0 end) as paying
    from lives
    group by {{ columns_of('lives', keys) }}, lives.first_month

)

select
    customers.account_id,
    coalesce(first_plans.plan, 'none') as plan,
    cast(customers.cohort_start as date) as cohort_start,
    customers.currency,
    cast(count(*) as integer) as customers,
    cast(sum(customers.paying) as integer) as customers_paying,
    {% for month in (3, 6, 12) -%}
        cast(count(customers.kept_{{ month }}) as integer) as customers_at_{{ month }}_months,
        {{ share_of('sum(customers.kept_' ~ month ~ ')', 'count(customers.kept_' ~ month ~ ')') }}
            as retention_{{ month }}_months,
    {% endfor -%}
    cast(sum(customers.first_mrr_minor) as bigint) as first_mrr_minor,
    cast(sum(coalesce(customers.mrr_minor, 0)) as bigint) as mrr_minor,
    -- of those who pay and whose costs are known
    {{ share_of(
        'sum(case when margins.monthly_cost_minor is not null then margins.monthly_revenue_minor - margins.monthly_cost_minor end)',
        'sum(case when margins.monthly_cost_minor is not null then margins.monthly_revenue_minor end)'
    ) }} as margin,
    true as is_observational
from customers
left join first_plans
    on {{ same_keys('customers', 'first_plans', ['account_id', 'customer_id']) }}
left join margins
    on {{ same_keys('customers', 'margins', keys) }}
group by customers.account_id, coalesce(first_plans.plan, 'none'), customers.cohort_start, customers.currency
