{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   Expected value: what the plan would bring in over the counted months x the assumed share of quotes that is
   accepted. #}
{% set quote = ['account_id', 'subscription_id', 'next_product_id'] %}
with

quotes as (select * from {{ ref('int_upgrade_quotes_found') }}),
lines as (select * from {{ ref('int_upgrade_quotes_possible') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

priced as (

    select
        {{ columns_of('lines', quote + ['subscription_item_id', 'currency']) }},
        lines.next_price_id as price_id,
        coalesce(lines.licensed_quantity, 1) as quantity
    from lines
    where lines.usage_type = 'licensed'

),

fees as ({{ rate_totals('priced', quote[1:] + ['subscription_item_id']) }}),

quoted as (

    select
        {{ columns_of('lines', quote) }},
        cast(coalesce(sum(fees.rated_amount_minor), 0) as bigint) as fee_minor,
        {{ json_of_rows(
            'case when lines.licensed_quantity is null then ' ~ as_json({'price': 'lines.next_price_id'})
            ~ ' else ' ~ as_json({'price': 'lines.next_price_id', 'quantity': 'lines.licensed_quantity'}) ~ ' end',
            'lines.subscription_item_id'
        ) }} as line_items
    from lines
    left join fees
        on {{ same_keys('lines', 'fees', quote + ['subscription_item_id']) }}
    group by {{ columns_of('lines', quote) }}

),

valued as (

    select
        quotes.*,
        quoted.line_items,
        {{ safe_name('customers.name', 'quotes.customer_id') }} as customer,
        {{ safe_name('meters.meter_name', 'quotes.meter_id') }} as meter,
        {{ safe_name('quotes.product_name', 'quotes.price_id') }} as plan,
        {{ safe_name('quotes.next_product_name', 'quotes.next_product_id') }} as next_plan,
        currencies.minor_unit_exponent,
        {{ monthly_amount('quoted.fee_minor', 'intervals.intervals_per_year', 'quotes.interval_count') }} as fee_minor,
        {{ monthly_amount('quotes.next_cost_minor', 'intervals.intervals_per_year', 'quotes.interval_count') }}
            as monthly_minor,
        {{ value_months('quotes.value_months') }} as months

    from quotes
    inner join quoted
        on {{ same_keys('quotes', 'quoted', quote) }}
    inner join intervals
        on quotes.billing_interval = intervals.billing_interval
    inner join customers on {{ same_keys('quotes', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies on quotes.currency = currencies.currency
    left join meters on {{ same_keys('quotes', 'meters', ['account_id', 'meter_id']) }}

)

select
    account_id,
    kind,
    as_of,
    customer_id,
    cast(null as {{ text_type() }}) as subscription_id,
    cast(null as {{ text_type() }}) as source_event_id,
    subscription_id as subject_id,
    next_price_id as target_key,
    {{ month_text('as_of') }} as period,
    currency,
    -- exposure: what would be added to a month's bill
    fee_minor as amount_minor,
    {{ share_of('next_cost_minor - current_cost_minor', 'current_cost_minor') }} as pct_change,
    monthly_minor as monthly_change_minor,
    {{ as_json_text({'customer': 'customer_id', 'line_items': 'line_items'}) }} as params,
    {{ as_json_text({
        'currency': 'currency', 'customer': 'customer_id', 'livemode': 'livemode',
        'other_subscriptions': json_of_values([]),
    }) }} as precondition,
    {{ as_json_text({
        'as_of': date_text('as_of'), 'before_quantity': as_text('before_quantity'),
        'current_cost_minor': 'current_cost_minor', 'effect': as_text('effect'), 'ended_at': time_text('ended_at'),
        'fee_minor': 'fee_minor', 'included_units': as_text('included_units'),
        'last_quantity': as_text('last_quantity'), 'next_cost_minor': 'next_cost_minor',
        'next_price_id': 'next_price_id', 'price_id': 'price_id', 'subscription': 'subscription_id',
    }) }} as evidence,
    kind as template,
    {{ as_json_text({
        'before_share': share_to_text('before_share'),
        'current_cost': money_to_text('current_cost_minor', 'currency', 'minor_unit_exponent'),
        'customer': 'customer',
        'difference': money_to_text('(current_cost_minor - next_cost_minor)', 'currency', 'minor_unit_exponent'),
        'ended_on': date_text('ended_at'),
        'fee': money_to_text('fee_minor', 'currency', 'minor_unit_exponent'),
        'included': quantity_to_text('included_units'),
        'last_share': share_to_text('last_share'),
        'meter': 'meter',
        'next_cost': money_to_text('next_cost_minor', 'currency', 'minor_unit_exponent'),
        'next_included': quantity_to_text('coalesce(next_included_units, 0)'),
        'next_plan': 'next_plan',
        'plan': 'plan',
    }) }} as words,
    cast(null as {{ text_type() }}) as model_version,
    cast(round(monthly_minor * months * effect) as bigint) as expected_value_minor,
    cast(round(monthly_minor * months * effect_low) as bigint) as expected_value_low_minor,
    cast(round(monthly_minor * months * effect_high) as bigint) as expected_value_high_minor,
    -- cheaper in two of two periods: by the rule of succession so likely in a third
    cast(0.75 as {{ double_type() }}) as confidence,
    cast(last_share as {{ double_type() }}) as urgency
from valued
