{# Overrides as understood: months as their first days, the account and currency that each names; or what is wrong
   with it, and then it changes nothing. #}
with

overrides as (select * from {{ ref('forecast_overrides') }}),
customers as (select * from {{ ref('dim_customers') }}),
currencies as (select * from {{ ref('currencies') }}),
as_of as (select * from {{ ref('int_as_of') }}),

placed as (

    select
        as_of.account_id,
        overrides.kind,
        overrides.customer_id,
        overrides.plan,
        coalesce(
            lower(overrides.currency), case when overrides.amount_minor is not null then customers.currency end
        ) as currency,
        {{ month_start('overrides.from_month') }} as from_month,
        {{ month_start('overrides.to_month') }} as to_month,
        overrides.amount_minor,
        overrides.share,
        overrides.note,
        case when overrides.customer_id is not null then coalesce(overrides.plan, customers.plan) end as customer_plan,
        overrides.customer_id is not null and customers.customer_id is null as is_stranger
    from overrides
    cross join as_of
    left join customers
        on
            as_of.account_id = customers.account_id
            and overrides.customer_id = customers.customer_id

),

judged as (

    select
        placed.account_id,
        placed.kind,
        placed.customer_id,
        placed.plan,
        placed.currency,
        placed.from_month,
        placed.to_month,
        placed.amount_minor,
        placed.share,
        placed.note,
        coalesce(placed.customer_plan, placed.plan, 'none') as amount_plan,
        case
            when
                coalesce(placed.kind, '')
                not in ('contract_end', 'launch', 'set_usage_growth', 'add_amount', 'note')
                then 'unknown kind'
            when placed.is_stranger then 'unknown customer'
            when placed.from_month is null then 'no from_month'
            when placed.to_month < placed.from_month then 'to_month before from_month'
            when placed.currency is not null and currencies.currency is null then 'unknown currency'
            when placed.kind = 'add_amount' and placed.amount_minor is null then 'no amount_minor'
            when placed.kind = 'set_usage_growth' and placed.share is null then 'no share'
            when placed.kind = 'launch' and coalesce(placed.amount_minor, placed.share) is null
                then 'neither amount_minor nor share'
            when placed.kind in ('launch', 'set_usage_growth') and placed.share < -1 then 'share below -1'
            when placed.kind in ('launch', 'add_amount') and placed.amount_minor is not null and placed.currency is null
                then 'an amount without currency'
        end as problem
    from placed
    left join currencies
        on placed.currency = currencies.currency

)

select
    *,
    row_number() over (
        partition by account_id
        order by
            from_month asc nulls last,
            to_month asc nulls last,
            kind asc nulls last,
            customer_id asc nulls last,
            plan asc nulls last,
            currency asc nulls last,
            amount_minor asc nulls last,
            share asc nulls last,
            note asc nulls last
    ) as override_number
from judged
