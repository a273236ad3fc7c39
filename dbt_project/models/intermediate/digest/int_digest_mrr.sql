{# MRR of the month of as_of beside what is expected: one line a currency, the commonest first, one for all of them
   together, and what is not in these figures. #}
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }} where locale = 'en'),
currencies as (select * from {{ ref('currencies') }}),
lines as (select * from {{ ref('int_digest_mrr_lines') }}),

filled as (

    select
        lines.account_id,
        'mrr' as section,
        2 as section_number,
        cast(row_number() over (
            partition by lines.account_id order by lines.place asc, lines.customers desc, lines.currency asc
        ) as integer) as line_number,
        cast(null as {{ text_type() }}) as customer_id,
        {{ fill_template('templates.body', {
            'mrr': money_to_text('lines.mrr_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'committed': money_to_text('lines.committed_mrr_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'metered': money_to_text('lines.metered_mrr_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'month': month_text('lines.next_month'),
            'expected': money_to_text('lines.expected_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'low': money_to_text('lines.q10_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'high': money_to_text('lines.q90_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'arr': money_to_text('lines.last_arr_minor', 'lines.currency', 'currencies.minor_unit_exponent'),
            'method': "replace(lines.method, '_', ' ')",
            'unrated': quantity_to_text('lines.unrated'),
        }) }} as text

    from lines
    inner join templates
        on lines.template = templates.kind
    inner join currencies
        on lines.currency = currencies.currency

)

select * from filled
