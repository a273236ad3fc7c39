{# What the revenue forecast learns from: each month end's MRR as of that day, and what a minor unit of it was worth
   in the reporting currency then. #}
with

months as (select * from {{ ref('int_subscription_months') }}),
fx_rates as (select * from {{ ref('int_fx_rates') }}),
currencies as (select * from {{ ref('currencies') }}),
as_of as (select * from {{ ref('int_as_of') }}),

summed as (

    select
        account_id,
        customer_id,
        plan,
        currency,
        month_start,
        valued_on,
        cast(sum(committed_mrr_minor) as bigint) as committed_mrr_minor,
        cast(sum(metered_mrr_minor) as bigint) as metered_mrr_minor
    from months
    group by
        account_id,
        customer_id,
        plan,
        currency,
        month_start,
        valued_on

)

select
    summed.account_id,
    summed.customer_id,
    summed.plan,
    summed.currency,
    summed.month_start,
    summed.valued_on < {{ month_end('summed.month_start') }} as is_running,
    summed.committed_mrr_minor,
    summed.metered_mrr_minor,
    {{ share_of(
        'cast(fx_rates.numerator as ' ~ double_type() ~ ') * ' ~ power_of_ten('reporting.minor_unit_exponent'),
        'cast(fx_rates.denominator as ' ~ double_type() ~ ') * ' ~ power_of_ten('own.minor_unit_exponent'),
        data_type='double'
    ) }} as reporting_factor
from summed
inner join as_of
    on
        summed.account_id = as_of.account_id
        and summed.month_start <= as_of.as_of
left join fx_rates
    on
        summed.currency = fx_rates.from_currency
        and fx_rates.valid_from <= summed.valued_on
        and coalesce(summed.valued_on < fx_rates.valid_to, true)
left join currencies as own
    on summed.currency = own.currency
left join currencies as reporting
    on reporting.currency = '{{ reporting_currency() }}'
