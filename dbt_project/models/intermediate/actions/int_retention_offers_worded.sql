with

offers as (select * from {{ ref('int_retention_offers_found') }}),
customers as (select * from {{ ref('dim_customers') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        offers.account_id,
        offers.customer_id,
        offers.kind,
        coalesce({{ safe_text('customers.name') }}, offers.customer_id) as customer,
        {{ share_to_text('offers.probability') }} as probability,
        {{ share_to_text('offers.base_rate') }} as base_rate,
        {{ as_text('offers.horizon_days') }} as horizon_days,
        {{ money_to_text('offers.mrr_minor', 'offers.currency', 'currencies.minor_unit_exponent') }} as mrr,
        offers.reasons,
        offers.coupon_id as coupon,
        {{ share_to_text('cast(offers.percent_off * 0.01 as decimal(18, 6))') }} as percent_off,
        {{ as_text('offers.duration_in_months') }} as months,
        {{ money_to_text('offers.amount_minor', 'offers.currency', 'currencies.minor_unit_exponent') }} as amount

    from offers
    inner join customers
        on
            offers.account_id = customers.account_id
            and offers.customer_id = customers.customer_id
    inner join currencies
        on offers.currency = currencies.currency

),

worded as (

    select
        in_words.account_id,
        in_words.customer_id,
        {{ fill_template('templates.body', {
            'customer': 'in_words.customer',
            'probability': 'in_words.probability',
            'base_rate': 'in_words.base_rate',
            'horizon_days': 'in_words.horizon_days',
            'mrr': 'in_words.mrr',
            'reasons': 'in_words.reasons',
            'coupon': 'in_words.coupon',
            'percent_off': 'in_words.percent_off',
            'months': 'in_words.months',
            'amount': 'in_words.amount',
        }) }} as reason

    from in_words
    inner join templates
        on in_words.kind = templates.kind

)

select * from worded
