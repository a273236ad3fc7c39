{# MRR of the month of as_of beside what is expected for the next: one line a currency, the commonest first. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
current_days as (select * from {{ ref('int_as_of') }}),
currencies as (select * from {{ ref('currencies') }}),
forecasts as (select * from {{ ref('revenue_forecast') }} where is_current),

months as (

    select
        months.account_id,
        months.currency,
        current_days.as_of,
        count(*) as customers,
        cast(sum(months.mrr_minor) as bigint) as mrr_minor,
        cast(sum(months.committed_mrr_minor) as bigint) as committed_mrr_minor,
        cast(sum(months.metered_mrr_minor) as bigint) as metered_mrr_minor

    from {{ ref('fct_mrr_monthly') }} as months
    inner join current_days
        on
            months.account_id = current_days.account_id
            and months.month_start = date_trunc('month', current_days.as_of)
    group by months.account_id, months.currency, current_days.as_of

),

joined as (

    select
        months.*,
        currencies.minor_unit_exponent,
        forecasts.month_start as next_month,
        forecasts.mrr_mean_minor,
        forecasts.q10_minor,
        forecasts.q90_minor,
        forecasts.method,
        case
            when forecasts.mrr_mean_minor is null then 'digest_mrr_now'
            when forecasts.q10_minor is null then 'digest_mrr_without_band'
            else 'digest_mrr'
        end as template

    from months
    inner join currencies
        on months.currency = currencies.currency
    left join forecasts
        on
            months.account_id = forecasts.account_id
            and months.currency = forecasts.currency
            and forecasts.month_start = date_trunc('month', months.as_of) + interval '1 month'

),

filled as (

    select
        joined.account_id,
        'mrr' as section,
        2 as section_number,
        cast(row_number() over (
            partition by joined.account_id order by joined.customers desc, joined.currency asc
        ) as integer) as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'mrr': money_to_text('joined.mrr_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'committed': money_to_text('joined.committed_mrr_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'metered': money_to_text('joined.metered_mrr_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'month': month_text('joined.next_month'),
            'expected': money_to_text('joined.mrr_mean_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'low': money_to_text('joined.q10_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'high': money_to_text('joined.q90_minor', 'joined.currency', 'joined.minor_unit_exponent'),
            'method': "replace(joined.method, '_', ' ')",
        }) }} as text

    from joined
    inner join templates
        on joined.template = templates.kind

)

select * from filled
