with

treatments as (select * from {{ ref('int_treatments') }}),
windows as (select * from {{ ref('int_windows_measured') }}),
prices as (select * from {{ ref('int_action_prices_followed') }}),
invoices as (select * from {{ ref('int_action_invoices_followed') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
current_days as (select * from {{ ref('int_as_of') }}),

latest_months as (

    select
        months.*,
        current_days.as_of

    from months
    inner join current_days
        on
            months.account_id = current_days.account_id
            and months.month_start = date_trunc('month', current_days.as_of)

),

followed as (

    select
        -- the action, or what was held back
        treatments.account_id,
        treatments.arm,
        treatments.action_id,
        treatments.recommendation_id,
        treatments.livemode,
        treatments.kind,
        treatments.customer_id,
        treatments.subscription_id,
        treatments.object_id,
        treatments.currency,
        treatments.amount_minor,
        treatments.executed_at,
        treatments.undone_at,
        treatments.started_on,

        -- revenue before and now
        months_before.mrr_minor as mrr_before_minor,
        latest_months.mrr_minor as mrr_latest_minor,
        latest_months.mrr_minor - months_before.mrr_minor as mrr_change_minor,
        latest_months.as_of as mrr_latest_as_of,

        -- the same customer as it began, and at each horizon
        starts.mrr_minor as mrr_start_minor,
        starts.is_paid as is_paid_before,
        {% for days in [30, 90] -%}
            after_{{ days }}.mrr_minor as mrr_{{ days }}_minor,
            after_{{ days }}.mrr_minor - starts.mrr_minor as mrr_change_{{ days }}_minor,
            after_{{ days }}.usage_change as usage_change_{{ days }},
            after_{{ days }}.is_paid as is_paid_{{ days }},
            after_{{ days }}.has_churned as has_churned_{{ days }},
        {% endfor %}

        -- what Stripe billed next
        invoices.invoice_id as next_invoice_id,
        invoices.created_at as next_invoice_at,
        invoices.total_minor as next_invoice_total_minor,

        -- whether it shows
        prices.prices_after,
        prices.is_price_in_force,
        invoices.is_price_invoiced,
        invoices.is_credit_applied

    from treatments
    left join months as months_before
        on
            {{ same_keys('treatments', 'months_before', ['account_id', 'customer_id', 'currency']) }}
            and months_before.month_start = date_trunc('month', treatments.started_on) - interval '1 month'
    left join latest_months
        on {{ same_keys('treatments', 'latest_months', ['account_id', 'customer_id', 'currency']) }}
    {% for days, relation in [(0, 'starts'), (30, 'after_30'), (90, 'after_90')] -%}
        left join windows as {{ relation }}
            on
                {{ same_keys('treatments', relation, ['account_id', 'customer_id', 'currency', 'started_on']) }}
                and {{ relation }}.horizon_days = {{ days }}
    {% endfor %}
    left join prices on {{ same_keys('treatments', 'prices', ['account_id', 'action_id']) }}
    left join invoices on {{ same_keys('treatments', 'invoices', ['account_id', 'action_id']) }}

)

select * from followed
