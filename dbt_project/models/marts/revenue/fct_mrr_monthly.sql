with

months as (select * from {{ ref('int_customer_months') }}),
fx_rates as (select * from {{ ref('int_fx_rates') }}),
currencies as (select * from {{ ref('currencies') }}),

converted as (

    select
        months.*,
        fx_rates.quoted_on as fx_quoted_on,
        {{ converted(
            'months.committed_mrr_minor', 'fx_rates', 'own.minor_unit_exponent', 'reporting.minor_unit_exponent'
        ) }} as committed_reporting_minor,
        {{ converted(
            'months.metered_mrr_minor', 'fx_rates', 'own.minor_unit_exponent', 'reporting.minor_unit_exponent'
        ) }} as metered_reporting_minor
    from months
    left join fx_rates
        on
            months.currency = fx_rates.from_currency
            and fx_rates.valid_from <= months.valued_on
            and coalesce(months.valued_on < fx_rates.valid_to, true)
    left join currencies as own
        on months.currency = own.currency
    left join currencies as reporting
        on reporting.currency = '{{ reporting_currency() }}'

)

select
    account_id,
    customer_id,
    currency,
    month_start,
    valued_on,
    committed_mrr_minor,
    metered_mrr_minor,
    committed_mrr_minor + metered_mrr_minor as mrr_minor,
    is_living,
    is_reconstructed,
    '{{ reporting_currency() }}' as reporting_currency,
    committed_reporting_minor,
    metered_reporting_minor,
    committed_reporting_minor + metered_reporting_minor as reporting_mrr_minor,
    fx_quoted_on
from converted
