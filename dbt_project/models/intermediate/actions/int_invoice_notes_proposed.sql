{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   A note stands until somebody takes it away, so it has no period: for the same prices it is one recommendation, once.
   Whether the customer has a note already only Stripe knows: the runner then finds the action stale and changes nothing.
   Money comes of it only by what customers then do not ask; nobody has measured that, so its value is taken to be 0. #}
with

invoices as (select * from {{ ref('int_invoice_notes_found') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
currencies as (select * from {{ ref('currencies') }}),
footers as (select * from {{ ref('message_templates') }} where kind = 'invoice_note_footer' and locale = 'en'),

noted as (

    select
        invoices.*,
        customers.name,
        customers.livemode,
        currencies.minor_unit_exponent,
        {{ fill_template('footers.body', {'meters': 'invoices.sentences'}) }} as footer

    from invoices
    cross join footers
    inner join customers
        on {{ same_keys('invoices', 'customers', ['account_id', 'customer_id', 'currency']) }}
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
        subscription_id as subject_id,
        {{ digest_of('price_ids') }} as target_key,
        'all' as period,
        currency,
        cast(0 as bigint) as amount_minor,
        cast(0 as decimal(18, 6)) as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ as_json_text({'customer': 'customer_id', 'footer': 'footer'}) }} as params,
        {{ as_json_text({'currency': 'currency', 'customer': 'customer_id', 'livemode': 'livemode'}) }} as precondition,
        {{ as_json_text({
            'as_of': date_text('as_of'),
            'change_minor': 'change_minor',
            'changed_share': as_text('changed_share'),
            'finalized_on': date_text('finalized_at'),
            'invoice_id': 'invoice_id',
            'previous_total_minor': 'previous_total_minor',
            'price_ids': 'price_ids',
            'share_of_change': as_text('share_of_change'),
            'total_minor': 'total_minor',
            'usage_minor': 'usage_minor',
        }) }} as evidence,
        kind as template,
        {{ as_json_text({
            'change': money_to_text('change_minor', 'currency', 'minor_unit_exponent'),
            'customer': safe_name('name', 'customer_id'),
            'footer': 'footer',
            'invoice_day': date_text('finalized_at'),
            'previous_total': money_to_text('previous_total_minor', 'currency', 'minor_unit_exponent'),
            'total': money_to_text('total_minor', 'currency', 'minor_unit_exponent'),
        }) }} as words,
        'fct_invoice_lines' as model_version,
        cast(0 as bigint) as expected_value_minor,
        cast(0 as bigint) as expected_value_low_minor,
        cast(0 as bigint) as expected_value_high_minor,
        cast(share_of_change as {{ double_type() }}) as confidence,
        cast(abs(changed_share) as {{ double_type() }}) as urgency

    from noted
    where length(footer) <= {{ longest_note() }}

)

select * from proposed
