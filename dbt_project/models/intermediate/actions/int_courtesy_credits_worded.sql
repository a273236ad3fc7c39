with

credits as (select * from {{ ref('int_courtesy_credits_found') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        credits.account_id,
        credits.anomaly_id,
        credits.kind,
        coalesce({{ safe_text('customers.name') }}, credits.customer_id) as customer,
        coalesce({{ safe_text('meters.meter_name') }}, credits.meter_id) as meter,
        {{ days_to_text('credits.started_on', 'credits.ended_on') }} as days,
        {{ quantity_to_text('credits.quantity') }} as quantity,
        {{ quantity_to_text('credits.expected_quantity') }} as expected,
        -- of the rounded figures, so that the sentence adds up
        {{ quantity_to_text('round(credits.quantity) - round(credits.expected_quantity)') }} as excess,
        {{ money_to_text('credits.excess_amount_minor', 'credits.currency', 'currencies.minor_unit_exponent') }}
            as excess_amount,
        {{ money_to_text('credits.amount_minor', 'credits.currency', 'currencies.minor_unit_exponent') }} as amount,
        {{ share_to_text(share_of('credits.amount_minor', 'credits.excess_amount_minor')) }} as returned_share

    from credits
    inner join customers
        on
            credits.account_id = customers.account_id
            and credits.customer_id = customers.customer_id
    inner join currencies
        on credits.currency = currencies.currency
    left join meters
        on
            credits.account_id = meters.account_id
            and credits.meter_id = meters.meter_id

),

worded as (

    select
        in_words.account_id,
        in_words.anomaly_id,
        {{ fill_template('reasons.body', {
            'customer': 'in_words.customer',
            'meter': 'in_words.meter',
            'days': 'in_words.days',
            'quantity': 'in_words.quantity',
            'expected': 'in_words.expected',
            'excess': 'in_words.excess',
            'excess_amount': 'in_words.excess_amount',
            'amount': 'in_words.amount',
            'returned_share': 'in_words.returned_share',
        }) }} as reason,
        {{ fill_template('descriptions.body', {
            'meter': 'in_words.meter',
            'days': 'in_words.days',
        }) }} as description

    from in_words
    inner join templates as reasons
        on in_words.kind = reasons.kind
    inner join templates as descriptions
        on in_words.kind || '_description' = descriptions.kind

)

select * from worded
