{# What overrides make of a customer's expected MRR on a plan, in a currency and month: what is left of it, its usage
   growth and what a launch adds. Of several usage growths the one that began last counts, then the one that names the
   customer; launches add up; an end ends all. #}
{% set keys = ['account_id', 'customer_id', 'plan', 'currency', 'month_start'] %}
with

customers as (select * from {{ ref('int_revenue_forecast_customers') }}),
overrides as (select * from {{ ref('int_forecast_overrides') }} where problem is null),

matched as (

    select
        {{ columns_of('customers', keys) }},
        overrides.kind,
        overrides.share,
        {{ months_from('overrides.from_month', 'customers.month_start') }} + 1 as months_grown,
        row_number() over (
            partition by {{ columns_of('customers', keys) }}, overrides.kind
            order by
                overrides.from_month desc,
                overrides.customer_id asc nulls last,
                overrides.override_number desc
        ) as preference
    from customers
    inner join overrides
        on
            customers.account_id = overrides.account_id
            and coalesce(customers.customer_id = overrides.customer_id, true)
            and coalesce(customers.plan = overrides.plan, true)
            and coalesce(customers.currency = overrides.currency, true)
            and {{ is_in_override('customers.month_start', 'overrides') }}
    where
        overrides.kind in ('contract_end', 'set_usage_growth')
        or (overrides.kind = 'launch' and overrides.share is not null)

)

select
    {{ keys | join(', ') }},
    max(case when kind = 'contract_end' then 1 else 0 end) = 1 as is_ended,
    max(
        case
            when kind = 'set_usage_growth' and preference = 1 then
                {{ cast_or_null('power(1 + cast(share as ' ~ double_type() ~ '), months_grown)', 'decimal(18, 9)') }}
        end
    ) as growth_set,
    -- several that take away take no more than there is
    greatest(cast(sum(case when kind = 'launch' then share else 0 end) as decimal(12, 6)), -1) as launch_share
from matched
group by {{ keys | join(', ') }}
