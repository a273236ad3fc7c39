{% set key = ['account_id', 'invoice_id'] %}
{% set kinds = {
    'head': "'invoice_head_' || invoices.situation
        || case when invoices.situation = 'first' and not invoices.is_earliest then '_regular' else '' end",
    'made': "'invoice_made_' || invoices.made_case",
    'days': "'invoice_days_' || invoices.days_case",
    'due': "'invoice_due_' || invoices.due_case",
    'next': "'invoice_' || invoices.next_case",
} %}
{% set amounts = {
    'total': 'invoices.total_minor',
    'previous_total': 'invoices.previous_total_minor',
    'difference': 'abs(invoices.change_minor)',
    'rest': 'invoices.rest_minor',
    'settled': 'abs(invoices.total_minor - invoices.amount_due_minor)',
    'due': 'invoices.amount_due_minor',
    'expected': 'invoices.expected_minor',
    'low': 'invoices.low_minor',
    'high': 'invoices.high_minor',
} %}
{% set slots = {
    'day': date_text('in_words.invoice_day'),
    'previous_day': date_text('in_words.previous_invoice_day'),
    'next_day': date_text('in_words.next_day'),
    'name': 'in_words.days_of',
    'days': 'in_words.days',
    'parts': 'in_words.parts',
    'last_clause': or_nothing('last.body', ' '),
} %}
{% for amount in amounts %}{% do slots.update({amount: 'in_words.' ~ amount}) %}{% endfor %}
{% set is_banded = "in_words.next_case in ('next', 'next_due')" %}
with

invoices as (select * from {{ ref('int_invoices_worded') }}),
reviews as (select * from {{ ref('int_reviews') }} where recommendation_kind = 'invoice_explanation'),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

reviewed as (

    select
        account_id,
        invoice_id,
        cast(count(*) as integer) as reviews,
        {{ latest_by('verdict', 'seq') }} as verdict,
        max(reviewed_at) as reviewed_at
    from reviews
    group by account_id, invoice_id

),

in_words as (

    select
        invoices.*,
        case when invoices.is_last then 'invoice_last' end as last_kind,
        {% for sentence, kind in kinds.items() -%}
            {{ kind }} as {{ sentence }}_kind,
        {% endfor -%}
        {{ amounts_to_text(amounts, 'invoices.currency', 'currencies.minor_unit_exponent') }}
    from invoices
    left join currencies
        on invoices.currency = currencies.currency

)

select
    {{ columns_of('in_words', key + ['customer_id', 'subscription_id', 'currency', 'status']) }},
    {{ columns_of('in_words', ['invoice_day', 'as_of', 'situation', 'total_minor', 'amount_due_minor']) }},
    {{ columns_of('in_words', ['previous_invoice_id', 'previous_total_minor']) }},
    in_words.change_minor,
    in_words.next_invoice_id is null and in_words.is_regular and not in_words.is_void as is_newest,
    {% for sentence in kinds -%}
        {%- set text = fill_template(sentence ~ '.body', slots) -%}
        {{ text if loop.first else or_nothing(text, ' ') }}{{ ' || ' if not loop.last }}
    {% endfor -%} as said,
    {{ as_json_text({
        'amount_due_minor': 'in_words.amount_due_minor',
        'change_minor': 'in_words.change_minor',
        'currency': 'in_words.currency',
        'days': 'in_words.days_facts',
        'days_of': 'in_words.days_of',
        'expected_minor': 'case when ' ~ is_banded
            ~ " or in_words.next_case in ('next_fixed', 'next_due_fixed', 'next_came') then in_words.expected_minor end",
        'high_minor': 'case when ' ~ is_banded ~ ' then in_words.high_minor end',
        'invoice_day': date_text('in_words.invoice_day'),
        'low_minor': 'case when ' ~ is_banded ~ ' then in_words.low_minor end',
        'next': 'in_words.next_case',
        'next_day': 'case when in_words.next_case is not null then ' ~ date_text('in_words.next_day') ~ ' end',
        'next_invoice_id': 'in_words.next_invoice_id',
        'parts': 'in_words.parts_facts',
        'previous_day': date_text('in_words.previous_invoice_day'),
        'previous_invoice_id': 'in_words.previous_invoice_id',
        'previous_total_minor': 'in_words.previous_total_minor',
        'rest_minor': 'in_words.rest_minor',
        'settled_minor': 'in_words.total_minor - in_words.amount_due_minor',
        'situation': 'in_words.situation',
        'total_minor': 'in_words.total_minor',
    }) }} as facts,
    coalesce(reviewed.reviews, 0) as reviews,
    reviewed.verdict,
    reviewed.reviewed_at
from in_words
{% for sentence in kinds -%}
    {{ 'inner' if loop.first else 'left' }} join templates as {{ sentence }}
        on in_words.{{ sentence }}_kind = {{ sentence }}.kind
{% endfor -%}
left join templates as last
    on in_words.last_kind = last.kind
left join reviewed
    on {{ same_keys('in_words', 'reviewed', key) }}
