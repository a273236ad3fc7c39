{# What a metered amount is multiplied by, per plan and currency with metered MRR ahead: since today, and since the
   third month's end. Where ml knows no such plan, its currency's growth; else the company's. #}
with

items as (select * from {{ ref('int_subscriptions_planned') }}),
trends as (select * from {{ ref('stg_ml__revenue_trend') }}),
as_of as (select * from {{ ref('int_as_of') }}),

wanted as (

    select distinct
        account_id,
        plan,
        currency
    from items

),

ranked as (

    select
        wanted.account_id,
        wanted.plan,
        wanted.currency,
        trends.months_ahead,
        trends.metered_growth,
        trends.method,
        trends.model_version,
        row_number() over (
            partition by wanted.account_id, wanted.plan, wanted.currency, trends.months_ahead
            order by case trends.level when 'plan' then 1 when 'currency' then 2 else 3 end
        ) as preference
    from wanted
    inner join as_of
        on wanted.account_id = as_of.account_id
    inner join trends
        on
            wanted.account_id = trends.account_id
            and as_of.as_of = trends.as_of
            and (trends.level = 'company' or wanted.currency = trends.currency)
            and (trends.level != 'plan' or wanted.plan = trends.plan)

),

chosen as (

    select
        *,
        max(case when months_ahead = 3 then metered_growth end) over (
            partition by account_id, plan, currency
        ) as growth_3
    from ranked
    where preference = 1

)

select
    account_id,
    plan,
    currency,
    months_ahead,
    cast(metered_growth as decimal(12, 9)) as growth,
    {{ share_of('metered_growth', 'growth_3', data_type='decimal(12, 9)') }} as growth_since_3,
    method,
    model_version
from chosen
