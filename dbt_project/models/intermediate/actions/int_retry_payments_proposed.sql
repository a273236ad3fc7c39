{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   Once a try was made the next has another number, so it is another recommendation. #}
with

invoices as (select * from {{ ref('int_retry_payments_valued') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'retry_payment'),
currencies as (select * from {{ ref('currencies') }}),
nexts as (select * from {{ ref('message_templates') }} where kind = 'retry_payment_next' and locale = 'en'),
lasts as (select * from {{ ref('message_templates') }} where kind = 'retry_payment_last' and locale = 'en'),
others as (select * from {{ ref('message_templates') }} where kind = 'retry_payment_other' and locale = 'en'),

in_words as (

    select
        invoices.*,
        kinds.kind,
        currencies.minor_unit_exponent,
        case
            when invoices.next_payment_attempt_at is null then lasts.body
            else {{ fill_template('nexts.body', {
                'anyway': share_to_text('invoices.chance_anyway'),
                'next_attempt': date_text('invoices.next_payment_attempt_at'),
            }) }}
        end || case when invoices.has_other_method then ' ' || others.body else '' end as stripe_tries

    from invoices
    cross join kinds
    cross join nexts
    cross join lasts
    cross join others
    inner join currencies
        on invoices.currency = currencies.currency

),

proposed as (

    select
        account_id,
        kind,
        as_of,
        customer_id,
        subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        invoice_id as subject_id,
        'try:' || {{ as_text('tries_made + 1') }} as target_key,
        {{ date_text('finalized_at') }} as period,
        currency,
        amount_remaining_minor as amount_minor,
        cast(0 as decimal(18, 6)) as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ as_json_text({'invoice': 'invoice_id'}) }} as params,
        {{ as_json_text({
            'amount_remaining': 'amount_remaining_minor',
            'attempt_count': 'attempt_count',
            'currency': 'currency',
            'customer': 'customer_id',
            'invoice': 'invoice_id',
            'invoice_status': "'open'",
            'livemode': 'livemode',
            'next_payment_attempt': seconds_of('next_payment_attempt_at'),
        }) }} as precondition,
        {{ as_json_text({
            'all_collected': 'all_collected',
            'all_tries': 'all_tries',
            'as_of': date_text('as_of'),
            'cell_collected': 'cell_collected',
            'cell_tries': 'cell_tries',
            'chance': as_text('cast(chance as decimal(9, 6))'),
            'chance_anyway': as_text('cast(chance_anyway as decimal(9, 6))'),
            'days_since': 'days_since',
            'decline_reason': 'reason',
            'invoices_alike': 'coalesce(invoices_alike, 0)',
            'next_payment_attempt': time_text('next_payment_attempt_at'),
            'number_collected': 'number_collected',
            'number_tries': 'number_tries',
            'reason_collected': 'reason_collected',
            'reason_tries': 'reason_tries',
            'recovered_alike': 'coalesce(recovered_alike, 0)',
            'tries_made': 'tries_made',
        }) }} as evidence,
        kind as template,
        {{ as_json_text({
            'amount': money_to_text('amount_remaining_minor', 'currency', 'minor_unit_exponent'),
            'chance': share_to_text('chance'),
            'collected': as_text('number_collected'),
            'customer': safe_name('name', 'customer_id'),
            'decline': 'reason_in_words',
            'invoice_day': date_text('finalized_at'),
            'last_on': date_text('last_tried_on'),
            'stripe_tries': 'stripe_tries',
            'tries': as_text('number_tries'),
            'tries_made': as_text('tries_made'),
        }) }} as words,
        'fct_payments' as model_version,
        {{ share_of_money('amount_remaining_minor', 'chance * (1 - chance_anyway)') }} as expected_value_minor,
        {{ share_of_money('amount_remaining_minor', 'greatest(chance - chance_spread, 0) * (1 - chance_anyway)') }}
            as expected_value_low_minor,
        {{ share_of_money('amount_remaining_minor', 'least(chance + chance_spread, 1) * (1 - chance_anyway)') }}
            as expected_value_high_minor,
        cast(chance as {{ double_type() }}) as confidence,
        cast(chance * (1 - chance_anyway) as {{ double_type() }}) as urgency

    from in_words

)

select * from proposed
