{# What is said of MRR: of each currency, of all together, and of what is not in these figures; its template and
   figures. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
currencies as (select * from {{ ref('currencies') }}),
forecasts as (select * from {{ ref('revenue_forecast') }} where is_current and level != 'plan'),

months as (

    select
        months.account_id,
        months.currency,
        count(*) as customers,
        cast(sum(months.mrr_minor) as bigint) as mrr_minor,
        cast(sum(months.committed_mrr_minor) as bigint) as committed_mrr_minor,
        cast(sum(months.metered_mrr_minor) as bigint) as metered_mrr_minor

    from {{ ref('fct_mrr_monthly') }} as months
    inner join {{ ref('int_as_of') }} as current_days
        on
            months.account_id = current_days.account_id
            and months.month_start = date_trunc('month', current_days.as_of)
    group by months.account_id, months.currency

),

-- next month beside the last of the twelve; of a company with one currency that currency says all
ahead as (

    select
        next_months.*,
        last_months.arr_minor as last_arr_minor,
        max(case when next_months.level = 'company' then 1 else 0 end) over by_account
        + sum(case when next_months.level = 'currency' then 1 else 0 end) over by_account as levels,
        max(last_months.new_business_minor) over by_account as new_business_at_most_minor
    from forecasts as next_months
    inner join forecasts as last_months
        on
            {{ same_keys('next_months', 'last_months', ['account_id', 'level', 'currency']) }}
            and next_months.months_ahead = 1
            and last_months.months_ahead = 12
    window by_account as (partition by next_months.account_id)

),

lines as (

    select
        months.account_id,
        case
            when ahead.mrr_minor is null then 'digest_mrr_now'
            when ahead.q10_minor is null then 'digest_mrr_without_band'
            else 'digest_mrr'
        end as template,
        1 as place,
        months.customers,
        months.currency,
        months.mrr_minor,
        months.committed_mrr_minor,
        months.metered_mrr_minor,
        ahead.month_start as next_month,
        ahead.mrr_minor as expected_minor,
        ahead.q10_minor,
        ahead.q90_minor,
        ahead.last_arr_minor,
        ahead.method,
        0 as unrated
    from months
    left join ahead
        on
            months.account_id = ahead.account_id
            and months.currency = ahead.currency
            and ahead.level = 'currency'
    union all
    select
        ahead.account_id,
        templates.kind as template,
        case templates.kind
            when 'digest_mrr_unrated' then 3 when 'digest_mrr_no_new_business' then 4 else 2
        end as place,
        ahead.customers,
        ahead.currency,
        ahead.mrr_now_minor as mrr_minor,
        cast(null as bigint) as committed_mrr_minor,
        cast(null as bigint) as metered_mrr_minor,
        ahead.month_start as next_month,
        ahead.mrr_minor as expected_minor,
        ahead.q10_minor,
        ahead.q90_minor,
        ahead.last_arr_minor,
        ahead.method,
        ahead.currencies_without_rate as unrated
    from ahead
    inner join templates
        on
            (templates.kind = 'digest_mrr_company' and ahead.levels > 2 and ahead.q10_minor is not null)
            or (
                templates.kind = 'digest_mrr_company_without_band'
                and ahead.levels > 2 and ahead.q10_minor is null and ahead.mrr_minor is not null
            )
            or (templates.kind = 'digest_mrr_unrated' and ahead.currencies_without_rate > 0)
            or (templates.kind = 'digest_mrr_no_new_business' and ahead.new_business_at_most_minor = 0)
    where ahead.level = 'company'

)

select * from lines
