{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   The excess is that of the rounded figures, so that the sentence adds up. The credit lowers the next invoice, so there
   must be one to come; and whoever was credited by hand since the spike began is left to whoever did that. #}
with

credits as (select * from {{ ref('int_courtesy_credits_found') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
credited as ({{ credited_by_hand() }}),
living as (
    select distinct
        account_id,
        customer_id,
        currency
    from {{ ref('dim_subscriptions') }}
    where status in ('active', 'trialing', 'past_due')
),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
descriptions as (
    select * from {{ ref('message_templates') }} where kind = 'courtesy_credit_description' and locale = 'en'
),

in_words as (

    select
        credits.*,
        customers.livemode,
        currencies.minor_unit_exponent,
        {{ safe_name('customers.name', 'credits.customer_id') }} as customer,
        {{ safe_name('meters.meter_name', 'credits.meter_id') }} as meter,
        {{ days_to_text('credits.started_on', 'credits.ended_on') }} as days

    from credits
    -- a customer's balance has one currency
    inner join customers
        on {{ same_keys('credits', 'customers', ['account_id', 'customer_id', 'currency']) }}
    inner join living
        on {{ same_keys('credits', 'living', ['account_id', 'customer_id', 'currency']) }}
    left join credited
        on {{ same_keys('credits', 'credited', ['account_id', 'customer_id']) }}
    inner join currencies
        on credits.currency = currencies.currency
    left join meters
        on {{ same_keys('credits', 'meters', ['account_id', 'meter_id']) }}
    where coalesce(credited.credited_on < credits.started_on, true)

),

proposed as (

    select
        credits.account_id,
        credits.kind,
        credits.as_of,
        credits.customer_id,
        credits.subscription_id,
        credits.anomaly_id as source_event_id,
        credits.subscription_item_id as subject_id,
        'customer_balance:' || credits.currency as target_key,
        {{ date_text('credits.period_start') }} as period,
        credits.currency,
        credits.amount_minor,
        {{ share_of('credits.amount_minor', 'credits.period_amount_minor') }} as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ as_json_text({
            'amount': '-credits.amount_minor',
            'currency': 'credits.currency',
            'customer': 'credits.customer_id',
            'description': fill_template('descriptions.body', {'meter': 'credits.meter', 'days': 'credits.days'}),
        }) }} as params,
        {{ as_json_text({
            'currency': 'credits.currency',
            'customer': 'credits.customer_id',
            'livemode': 'credits.livemode',
        }) }} as precondition,
        {{ as_json_text({
            'anomaly_id': 'credits.anomaly_id',
            'as_of': date_text('credits.as_of'),
            'base_rate': as_text('cast(credits.base_rate as decimal(9, 6))'),
            'cap_minor': 'credits.cap_minor',
            'effect': as_text('credits.effect'),
            'ended_on': date_text('credits.ended_on'),
            'excess_amount_minor': 'credits.excess_amount_minor',
            'excess_quantity': as_text('credits.excess_quantity'),
            'expected_quantity': as_text('credits.expected_quantity'),
            'mrr_minor': 'credits.mrr_minor',
            'period_amount_minor': 'credits.period_amount_minor',
            'price_id': 'credits.price_id',
            'probability': as_text('credits.confidence'),
            'quantity': as_text('credits.quantity'),
            'risk': as_text('cast(credits.risk as decimal(9, 6))'),
            'started_on': date_text('credits.started_on'),
        }) }} as evidence,
        credits.kind as template,
        {{ as_json_text({
            'amount': money_to_text('credits.amount_minor', 'credits.currency', 'credits.minor_unit_exponent'),
            'customer': 'credits.customer',
            'days': 'credits.days',
            'excess': quantity_to_text('round(credits.quantity) - round(credits.expected_quantity)'),
            'excess_amount':
                money_to_text('credits.excess_amount_minor', 'credits.currency', 'credits.minor_unit_exponent'),
            'expected': quantity_to_text('credits.expected_quantity'),
            'meter': 'credits.meter',
            'probability': share_to_text('credits.confidence'),
            'quantity': quantity_to_text('credits.quantity'),
            'returned_share': share_to_text(share_of('credits.amount_minor', 'credits.excess_amount_minor')),
        }) }} as words,
        'usage_anomalies' as model_version,
        credits.expected_value_minor,
        credits.expected_value_low_minor,
        credits.expected_value_high_minor,
        cast(credits.confidence as {{ double_type() }}) as confidence,
        cast(credits.amount_minor as {{ double_type() }}) as urgency

    from in_words as credits
    cross join descriptions

)

select * from proposed
