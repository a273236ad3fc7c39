{# The next invoices that are expected to change most against the subscription's last one. Amounts of two currencies are
   never compared: the largest change of each comes first, in turn. A fifth of the period must be over, so that the band
   says something, and the last invoice must have billed a whole period as well. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
currencies as (select * from {{ ref('currencies') }}),
customers as (select * from {{ ref('dim_customers') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
invoices as (select * from {{ ref('invoice_forecast') }} where status = 'ok' and method is not null),

compared as (

    select
        invoices.*,
        row_number() over (
            partition by invoices.account_id, invoices.currency
            order by
                abs(invoices.total_minor - invoices.balance_minor - invoices.previous_invoice_minor) desc,
                invoices.subscription_id asc,
                invoices.period_end asc
        ) as rank_in_currency
    from invoices
    inner join subscriptions
        on {{ same_keys('invoices', 'subscriptions', ['account_id', 'subscription_id']) }}
    where
        invoices.previous_invoice_minor is not null
        and 5 * invoices.days_elapsed >= invoices.days_in_period
        and subscriptions.started_at < invoices.period_start

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id order by rank_in_currency asc, currency desc
        ) as line_number
    from compared

)

select
    ranked.account_id,
    cast(ranked.line_number as integer) as line_number,
    ranked.customer_id,
    {{ fill_template('templates.body', {
        'customer': safe_name('customers.name', 'ranked.customer_id'),
        'customer_id': 'ranked.customer_id',
        'invoice_day': date_text('ranked.period_end'),
        'total': money_to_text('ranked.total_minor', 'ranked.currency', 'currencies.minor_unit_exponent'),
        'low': money_to_text('ranked.total_q10_minor', 'ranked.currency', 'currencies.minor_unit_exponent'),
        'high': money_to_text('ranked.total_q90_minor', 'ranked.currency', 'currencies.minor_unit_exponent'),
        'run_rate': "coalesce(" ~ money_to_text(
            'ranked.run_rate_total_minor', 'ranked.currency', 'currencies.minor_unit_exponent'
        ) ~ ", '–')",
        'previous': money_to_text('ranked.previous_invoice_minor', 'ranked.currency', 'currencies.minor_unit_exponent'),
    }) }} as text
from ranked
inner join templates
    on templates.kind = 'digest_invoice'
inner join customers
    on ranked.account_id = customers.account_id and ranked.customer_id = customers.customer_id
inner join currencies
    on ranked.currency = currencies.currency
where ranked.line_number <= 2
