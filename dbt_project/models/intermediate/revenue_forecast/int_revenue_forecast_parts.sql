{# Everything that the revenue forecast adds up, each part of it once: customers after overrides, amounts that
   overrides add, new business by the seed. #}
with

customers as (select * from {{ ref('int_revenue_forecast_customers') }}),
overridden as (select * from {{ ref('int_customers_overridden') }}),
added as (select * from {{ ref('int_revenue_amounts_added') }}),

grown as (

    select
        customers.*,
        coalesce(overridden.is_ended, false) as is_ended,
        coalesce(overridden.launch_share, 0) as launch_share,
        case
            when overridden.growth_set is null then customers.usage_growth_minor
            else cast(round(customers.metered_book_minor * (overridden.growth_set - 1)) as bigint)
        end as growth_minor
    from customers
    left join overridden
        on {{ same_keys('customers', 'overridden', ['account_id', 'customer_id', 'plan', 'currency', 'month_start']) }}

),

launched as (

    select
        *,
        case when is_ended then 0 else committed_book_minor end as committed_left_minor,
        case when is_ended then 0 else metered_book_minor end as metered_left_minor,
        case
            when is_ended then 0
            else growth_minor + cast(round((metered_book_minor + growth_minor) * launch_share) as bigint)
        end as growth_left_minor
    from grown

)

select
    account_id,
    'customer' as part,
    customer_id,
    plan,
    currency,
    as_of,
    month_start,
    months_ahead,
    hazard_source,
    has_paths,
    mrr_now_minor,
    committed_left_minor as committed_book_minor,
    metered_left_minor as metered_book_minor,
    growth_left_minor as usage_growth_minor,
    cast(0 as bigint) as new_business_minor,
    committed_left_minor + metered_left_minor + growth_left_minor
    - committed_book_minor - metered_book_minor - usage_growth_minor as override_minor
from launched
union all
select
    account_id,
    part,
    customer_id,
    plan,
    currency,
    as_of,
    month_start,
    months_ahead,
    cast(null as {{ text_type() }}) as hazard_source,
    false as has_paths,
    cast(0 as bigint) as mrr_now_minor,
    case when part = 'add_amount' then amount_minor else 0 end as committed_book_minor,
    cast(0 as bigint) as metered_book_minor,
    case when part = 'launch' then amount_minor else 0 end as usage_growth_minor,
    case when part = 'new_business' then amount_minor else 0 end as new_business_minor,
    case when part = 'new_business' then 0 else amount_minor end as override_minor
from added
