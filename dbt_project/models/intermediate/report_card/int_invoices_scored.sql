{# Live: next invoices as earlier runs said them, against the invoice that came at the period's end: what was due,
   before tax. Where none came (the subscription ended, the invoice is void or still a draft) there is nothing to judge.
   Backtest: the metered part of invoices alone, the only one that has to be guessed; its errors weigh more there. #}
with

forecasts as (select * from {{ ref('stg_ml__invoice_forecast_said') }}),
current_days as (select * from {{ ref('int_as_of') }}),
backtested as (select * from {{ ref('int_subscription_periods_backtested') }}),
invoices as (

    select * from {{ ref('fct_invoices') }}
    where
        billing_reason = 'subscription_cycle'
        and status in ('open', 'paid', 'uncollectible')

),

-- a subscription whose items renew at one moment has one invoice of it
came as (

    select
        account_id,
        subscription_id,
        currency,
        period_end,
        {{ latest_by('amount_due_minor - tax_minor + inclusive_tax_minor', ['created_at', 'invoice_id']) }} as due_minor
    from invoices
    group by
        account_id,
        subscription_id,
        currency,
        period_end

),

live as (

    select
        forecasts.account_id,
        'live' as said,
        forecasts.plan,
        forecasts.currency,
        {{ elapsed_bucket('forecasts.days_elapsed', 'forecasts.days_in_period') }} as bucket,
        came.due_minor as actual,
        forecasts.total_minor as expected,
        forecasts.total_median_minor as median,
        forecasts.total_q025_minor as q025,
        forecasts.total_q10_minor as q10,
        forecasts.total_q90_minor as q90,
        forecasts.total_q975_minor as q975,
        forecasts.run_rate_total_minor as baseline

    from forecasts
    inner join current_days
        on
            forecasts.account_id = current_days.account_id
            and forecasts.as_of < current_days.as_of
    inner join came
        on {{ same_keys('forecasts', 'came', ['account_id', 'subscription_id', 'currency', 'period_end']) }}
    -- too early in a period nothing was said, and without metered items nothing had to be guessed
    where
        forecasts.total_minor is not null
        and forecasts.method is not null

),

together as (

    select * from live
    union all
    select
        account_id,
        'backtest' as said,
        plan,
        currency,
        {{ elapsed_bucket('days_elapsed', 'days_in_period') }} as bucket,
        actual_minor as actual,
        mean_minor as expected,
        median_minor as median,
        q025_minor as q025,
        q10_minor as q10,
        q90_minor as q90,
        q975_minor as q975,
        run_rate_minor as baseline
    from backtested
    where mean_minor is not null and actual_minor is not null

)

select
    account_id,
    said,
    'invoice' as subject,
    currency as unit,
    plan,
    cast(null as {{ text_type() }}) as demand_class,
    currency,
    cast(null as {{ text_type() }}) as meter,
    bucket,
    cast(actual as {{ scored_type() }}) as actual,
    cast(expected as {{ scored_type() }}) as expected,
    cast(coalesce(median, expected) as {{ scored_type() }}) as median,
    cast(q025 as {{ scored_type() }}) as q025,
    cast(q10 as {{ scored_type() }}) as q10,
    cast(q90 as {{ scored_type() }}) as q90,
    cast(q975 as {{ scored_type() }}) as q975,
    cast(baseline as {{ scored_type() }}) as baseline
from together
