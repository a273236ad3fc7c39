{% set slots = {
    'granted': 'expected.granted_minor',
    'remaining': 'expected.remaining_minor',
    'draw': 'expected.running_draw_minor',
    'unused': 'expected.remaining_minor - expected.draw_minor',
} %}
with

expected as (select * from {{ ref('int_credits_expected') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        expected.*,
        'credit_' || expected.outlook as kind,
        coalesce({{ date_text('expected.depletes_on') }}, 'never') as middle,
        coalesce({{ date_text('expected.depletes_early_on') }}, 'never') as early,
        coalesce({{ date_text('expected.depletes_late_on') }}, 'after the 90 days') as late,
        coalesce({{ date_text('expected.expires_at') }}, 'no day') as expiry,
        {{ amounts_to_text(slots, 'expected.currency', 'currencies.minor_unit_exponent') }}
    from expected
    left join currencies
        on expected.currency = currencies.currency

)

select
    in_words.account_id,
    in_words.credit_grant_id,
    in_words.customer_id,
    in_words.currency,
    in_words.category,
    in_words.place,
    in_words.as_of,
    in_words.granted_minor,
    in_words.remaining_minor,
    in_words.effective_at,
    in_words.expires_at,
    in_words.running_draw_minor,
    in_words.draw_minor,
    in_words.draw_per_day_minor,
    in_words.draw_per_period_minor,
    in_words.depletes_early_on,
    in_words.depletes_on,
    in_words.depletes_late_on,
    in_words.outlook,
    {{ fill_template('templates.body', {
        'granted': 'in_words.granted',
        'remaining': 'in_words.remaining',
        'draw': 'in_words.draw',
        'unused': 'in_words.unused',
        'middle': 'in_words.middle',
        'early': 'in_words.early',
        'late': 'in_words.late',
        'expiry': 'in_words.expiry',
    }) }} as said
from in_words
inner join templates
    on in_words.kind = templates.kind
