{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   Expected value: the revenue that the offer keeps from those who may leave, less what it costs. #}
with

valued as (select * from {{ ref('int_retention_offers_found') }}),
customers as (select * from {{ ref('dim_customers') }}),
currencies as (select * from {{ ref('currencies') }}),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),

proposed as (

    select
        valued.account_id,
        valued.kind,
        valued.as_of,
        valued.customer_id,
        valued.subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        valued.subscription_id as subject_id,
        valued.coupon_id as target_key,
        {{ month_text('valued.as_of') }} as period,
        valued.currency,
        valued.amount_minor,
        cast(-valued.percent_off * 0.01 as decimal(18, 6)) as pct_change,
        -{{ divide_half_up('valued.amount_minor', 'valued.duration_in_months') }} as monthly_change_minor,
        {{ as_json_text({
            'discounts': json_of_one(as_json({'coupon': 'valued.coupon_id'})),
            'subscription': 'valued.subscription_id',
        }) }} as params,
        preconditions.precondition,
        {{ as_json_text({
            'as_of': date_text('valued.as_of'),
            'base_rate': as_text('cast(valued.base_rate as decimal(9, 6))'),
            'committed_mrr_minor': 'valued.committed_mrr_minor',
            'customers_scored': 'valued.customers_scored',
            'duration_in_months': 'valued.duration_in_months',
            'effect': as_text('valued.effect'),
            'expected_cost_minor': 'valued.expected_cost_minor',
            'horizon_days': 'valued.horizon_days',
            'is_effect_measured': 'valued.is_effect_measured',
            'mrr_minor': 'valued.mrr_minor',
            'percent_off': as_text('valued.percent_off'),
            'probability': as_text('valued.probability'),
            'reasons': 'valued.reasons',
            'risk_rank': 'valued.risk_rank',
            'value_months': 'valued.value_months',
        }) }} as evidence,
        valued.kind as template,
        {{ as_json_text({
            'amount': money_to_text('valued.amount_minor', 'valued.currency', 'currencies.minor_unit_exponent'),
            'base_rate': share_to_text('cast(valued.base_rate as decimal(9, 6))'),
            'coupon': 'valued.coupon_id',
            'customer': safe_name('customers.name', 'valued.customer_id'),
            'effect': share_to_text('valued.effect'),
            'horizon_days': as_text('valued.horizon_days'),
            'months': as_text('valued.duration_in_months'),
            'mrr': money_to_text('valued.mrr_minor', 'valued.currency', 'currencies.minor_unit_exponent'),
            'percent_off': share_to_text('cast(valued.percent_off * 0.01 as decimal(18, 6))'),
            'probability': share_to_text('valued.probability'),
            'reasons': 'valued.reasons',
            'value':
                money_to_text('valued.expected_value_minor', 'valued.currency', 'currencies.minor_unit_exponent'),
            'value_months': as_text('valued.value_months'),
        }) }} as words,
        valued.model_version,
        valued.expected_value_minor,
        valued.expected_value_low_minor,
        valued.expected_value_high_minor,
        cast(valued.probability as {{ double_type() }}) as confidence,
        cast(valued.probability as {{ double_type() }}) as urgency

    from valued
    inner join customers
        on
            valued.account_id = customers.account_id
            and valued.customer_id = customers.customer_id
    inner join currencies
        on valued.currency = currencies.currency
    inner join preconditions
        on
            valued.account_id = preconditions.account_id
            and valued.subscription_id = preconditions.subscription_id

)

select * from proposed
