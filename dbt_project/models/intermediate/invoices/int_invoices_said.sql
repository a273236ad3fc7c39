{# What is said of each invoice to come, in words: by medians, which lie inside their bands. #}
{% set key = ['account_id', 'subscription_id', 'period_end'] %}
{% set slots = {
    'total': 'invoices.median_total_minor',
    'low': 'invoices.q10_total_minor',
    'high': 'invoices.q90_total_minor',
    'certain': 'invoices.fees_minor + invoices.pending_minor',
    'usage': 'invoices.median_usage_minor',
    'run_rate': 'invoices.run_rate_total_minor',
} %}
with

invoices as (select * from {{ ref('int_invoices_expected') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        {{ columns_of('invoices', key) }},
        'invoice_' || case
            when invoices.finding = 'ok' and invoices.metered_items = 0 then 'fixed' else invoices.finding
        end as kind,
        {{ date_text('invoices.period_end') }} as invoice_day,
        upper(invoices.currency) as currency,
        {{ as_text('invoices.days_elapsed') }} as days_elapsed,
        {{ as_text('invoices.days_in_period') }} as days_in_period,
        {{ amounts_to_text(slots, 'invoices.currency', 'currencies.minor_unit_exponent') }}
    from invoices
    left join currencies
        on invoices.currency = currencies.currency

)

select
    {{ columns_of('in_words', key) }},
    {{ fill_template('templates.body', {
        'invoice_day': 'in_words.invoice_day',
        'currency': 'in_words.currency',
        'days_elapsed': 'in_words.days_elapsed',
        'days_in_period': 'in_words.days_in_period',
        'total': 'in_words.total',
        'low': 'in_words.low',
        'high': 'in_words.high',
        'certain': 'in_words.certain',
        'usage': 'in_words.usage',
        'run_rate': 'in_words.run_rate',
    }) }} as said
from in_words
inner join templates
    on in_words.kind = templates.kind
