{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON. #}
with

credits as (select * from {{ ref('int_courtesy_credits_found') }}),
texts as (select * from {{ ref('int_courtesy_credits_worded') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),

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
        {{ as_json_text({
            'amount': '-credits.amount_minor',
            'currency': 'credits.currency',
            'customer': 'credits.customer_id',
            'description': 'texts.description',
        }) }} as params,
        {{ as_json_text({
            'currency': 'credits.currency',
            'customer': 'credits.customer_id',
            'livemode': 'customers.livemode',
        }) }} as precondition,
        texts.reason,
        {{ as_json_text({
            'anomaly_id': 'credits.anomaly_id',
            'as_of': date_text('credits.as_of'),
            'cap_minor': 'credits.cap_minor',
            'ended_on': date_text('credits.ended_on'),
            'excess_amount_minor': 'credits.excess_amount_minor',
            'excess_quantity': as_text('credits.excess_quantity'),
            'expected_quantity': as_text('credits.expected_quantity'),
            'period_amount_minor': 'credits.period_amount_minor',
            'price_id': 'credits.price_id',
            'quantity': as_text('credits.quantity'),
            'started_on': date_text('credits.started_on'),
        }) }} as evidence,
        'usage_anomalies' as model_version,
        -credits.amount_minor as expected_value_minor,
        -credits.amount_minor as expected_value_low_minor,
        -credits.amount_minor as expected_value_high_minor,
        cast(credits.excess_share as {{ double_type() }}) as confidence,
        cast(credits.amount_minor as {{ double_type() }}) as urgency

    from credits
    inner join texts
        on
            credits.account_id = texts.account_id
            and credits.anomaly_id = texts.anomaly_id
    inner join customers
        on
            credits.account_id = customers.account_id
            and credits.customer_id = customers.customer_id

)

select * from proposed
