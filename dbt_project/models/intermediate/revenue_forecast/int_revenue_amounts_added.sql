{# Amounts that stand in the forecast because a seed says so: new business, which stays from its month on less the
   base rate of churn, and the amounts of overrides, which are taken as they are. Months in which one adds nothing
   have a row too, so that a plan or currency that only a seed names has all twelve. #}
with

new_business as (select * from {{ ref('new_business') }}),
overrides as (select * from {{ ref('int_forecast_overrides') }} where problem is null and amount_minor is not null),
trends as (select * from {{ ref('stg_ml__revenue_trend') }} where level = 'company'),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),
as_of as (select * from {{ ref('int_as_of') }}),

months as (

    select
        trends.account_id,
        trends.as_of,
        trends.months_ahead,
        {{ add_months(month_start('trends.as_of'), 'trends.months_ahead') }} as month_start
    from trends
    inner join as_of
        on
            trends.account_id = as_of.account_id
            and trends.as_of = as_of.as_of

),

base_rates as (

    select
        account_id,
        max(base_rate) as base_rate,
        max(horizon_days) as horizon_days
    from risks
    group by account_id

)

select
    months.account_id,
    'new_business' as part,
    cast(null as {{ text_type() }}) as customer_id,
    new_business.plan,
    lower(new_business.currency) as currency,
    months.as_of,
    months.month_start,
    months.months_ahead,
    case
        when {{ month_start('new_business.month_start') }} <= months.month_start
            then cast(round(
                new_business.mrr_minor * {{ survival(
                    'coalesce(base_rates.base_rate, 0)', 'coalesce(base_rates.horizon_days, 1)',
                    days_from(month_end('new_business.month_start'), month_end('months.month_start'))
                ) }}
            ) as bigint)
        else 0
    end as amount_minor
from months
inner join new_business
    on {{ month_start('new_business.month_start') }} > months.as_of
left join base_rates
    on months.account_id = base_rates.account_id
union all
select
    months.account_id,
    overrides.kind as part,
    overrides.customer_id,
    overrides.amount_plan as plan,
    overrides.currency,
    months.as_of,
    months.month_start,
    months.months_ahead,
    case
        when {{ is_in_override('months.month_start', 'overrides') }} then overrides.amount_minor else 0
    end as amount_minor
from months
inner join overrides
    on
        months.account_id = overrides.account_id
        and overrides.kind in ('launch', 'add_amount')
        and coalesce(overrides.to_month > months.as_of, true)
