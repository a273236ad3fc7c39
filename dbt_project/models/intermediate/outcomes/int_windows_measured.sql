{# What became of a customer in the days from `started_on` on, treated or not; null where it cannot be said. Of the
   horizon of 0 days, how things stood: payments are those of the 90 days before. #}
{% set usage_days = 30 %}
{% set owed_days = 90 %}
{% set keys = ['account_id', 'customer_id', 'currency', 'started_on', 'horizon_days'] %}
with

windows as (select * from {{ ref('int_windows_opened') }}),
spans as (select * from {{ ref('int_mrr_spans') }}),
item_days as (select * from {{ ref('fct_usage_daily') }}),
churn_dates as (select * from {{ ref('int_churn_dates') }} where cause = 'subscription_ended'),
subscriptions as (select * from {{ ref('int_subscriptions') }} where has_lived),
invoices as (select * from {{ ref('fct_invoices') }} where status not in ('draft', 'void') and amount_due_minor > 0),

mrr as (

    select
        {{ columns_of('windows', keys) }},
        sum(spans.mrr_minor) as mrr_minor
    from windows
    inner join spans
        on
            {{ same_keys('windows', 'spans', ['account_id', 'customer_id', 'currency']) }}
            and spans.valid_from <= cast(windows.ends_on as timestamp)
            and coalesce(spans.valid_to > cast(windows.ends_on as timestamp), true)
    group by {{ columns_of('windows', keys) }}

),

meters as (

    select
        {{ columns_of('windows', keys) }},
        sum(case when item_days.usage_date < windows.started_on then item_days.quantity else 0 end) as before,
        sum(
            case when item_days.usage_date >= windows.ends_on - {{ usage_days }} then item_days.quantity else 0 end
        ) as afterwards
    from windows
    inner join item_days
        on
            {{ same_keys('windows', 'item_days', ['account_id', 'customer_id', 'currency']) }}
            and item_days.usage_date >= windows.started_on - {{ usage_days }}
            and item_days.usage_date < windows.ends_on
    where windows.horizon_days > 0
    group by {{ columns_of('windows', keys) }}, item_days.meter_id

),

-- meters have units of their own: the mean over meters of how their usage changed, none more than a hundredfold
used as (

    select
        {{ columns_of('meters', keys) }},
        {{ share_of(
            'sum(' ~ share_of('least(afterwards, 100 * before)', 'before') ~ ' - 1)', 'count(*)'
        ) }} as usage_change
    from meters
    where before > 0
    group by {{ columns_of('meters', keys) }}

),

paid as (

    select
        {{ columns_of('windows', keys) }},
        bool_and(coalesce(invoices.paid_at < cast(windows.ends_on as timestamp), false)) as is_paid
    from windows
    inner join invoices
        on
            {{ same_keys('windows', 'invoices', ['account_id', 'customer_id', 'currency']) }}
            and invoices.created_at >= cast(windows.started_on - {{ owed_days }} as timestamp)
            and invoices.created_at < cast(windows.ends_on as timestamp)
            -- of those before it began, what was open then: a retry or a payment plan is about one of these
            and (
                windows.horizon_days = 0
                or invoices.created_at >= cast(windows.started_on as timestamp)
                or coalesce(invoices.paid_at >= cast(windows.started_on as timestamp), true)
            )
    group by {{ columns_of('windows', keys) }}

),

living as (

    select distinct {{ columns_of('windows', keys) }}
    from windows
    inner join subscriptions
        on
            {{ same_keys('windows', 'subscriptions', ['account_id', 'customer_id']) }}
            and subscriptions.started_at <= cast(windows.started_on as timestamp)
            and coalesce(subscriptions.ended_at >= cast(windows.started_on as timestamp), true)

),

churned as (

    select distinct {{ columns_of('windows', keys) }}
    from windows
    inner join churn_dates
        on
            {{ same_keys('windows', 'churn_dates', ['account_id', 'customer_id']) }}
            and churn_dates.churned_on >= windows.started_on
            and churn_dates.churned_on < windows.ends_on

)

select
    {{ columns_of('windows', keys) }},
    cast(coalesce(mrr.mrr_minor, 0) as bigint) as mrr_minor,
    used.usage_change,
    paid.is_paid,
    case when living.customer_id is not null then churned.customer_id is not null end as has_churned
from windows
left join mrr on {{ same_keys('windows', 'mrr', keys) }}
left join used on {{ same_keys('windows', 'used', keys) }}
left join paid on {{ same_keys('windows', 'paid', keys) }}
left join living on {{ same_keys('windows', 'living', keys) }}
left join churned on {{ same_keys('windows', 'churned', keys) }}
