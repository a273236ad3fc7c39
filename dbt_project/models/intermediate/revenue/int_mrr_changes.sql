{# MRR at a month's end beside the month before, by component; in the reporting currency also what the opening MRR is
   worth at the month's own rate. #}
with

months as (select * from {{ ref('fct_mrr_monthly') }}),
fx_rates as (select * from {{ ref('int_fx_rates') }}),
currencies as (select * from {{ ref('currencies') }}),

compared as (

    select
        *,
        lag(committed_mrr_minor, 1, 0) over earlier as committed_opening_minor,
        lag(metered_mrr_minor, 1, 0) over earlier as metered_opening_minor,
        lag(committed_reporting_minor, 1, 0) over earlier as committed_reporting_opening_minor,
        lag(metered_reporting_minor, 1, 0) over earlier as metered_reporting_opening_minor
    from months
    window earlier as (partition by account_id, customer_id, currency order by month_start)

),

components as (

    {% for component in ['committed', 'metered'] -%}
        select
            compared.account_id,
            compared.customer_id,
            compared.currency,
            compared.month_start,
            compared.reporting_currency,
            compared.is_reconstructed,
            '{{ component }}' as component,
            compared.{{ component }}_mrr_minor - compared.{{ component }}_opening_minor as change_minor,
            compared.{{ component }}_reporting_minor as reporting_closing_minor,
            compared.{{ component }}_reporting_opening_minor as reporting_opening_minor,
            {{ converted(
                'compared.' ~ component ~ '_opening_minor', 'fx_rates',
                'own.minor_unit_exponent', 'reporting.minor_unit_exponent'
            ) }} as opening_at_new_rate_minor
        from compared
        left join fx_rates
            on
                compared.currency = fx_rates.from_currency
                and fx_rates.valid_from <= compared.valued_on
                and coalesce(compared.valued_on < fx_rates.valid_to, true)
        left join currencies as own
            on compared.currency = own.currency
        left join currencies as reporting
            on compared.reporting_currency = reporting.currency
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from components
