{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   Expected value: revenue at risk x the share that the offer is assumed to keep, less what the offer costs. #}
with

offers as (select * from {{ ref('int_retention_offers_found') }}),
customers as (select * from {{ ref('dim_customers') }}),
currencies as (select * from {{ ref('currencies') }}),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),

valued as (

    select
        *,
        cast(round(mrr_minor * value_months * probability) as bigint) as revenue_at_risk_minor

    from offers

),

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
            'base_rate': as_text('valued.base_rate'),
            'committed_mrr_minor': 'valued.committed_mrr_minor',
            'customers_scored': 'valued.customers_scored',
            'duration_in_months': 'valued.duration_in_months',
            'effect': as_text('valued.effect'),
            'horizon_days': 'valued.horizon_days',
            'mrr_minor': 'valued.mrr_minor',
            'percent_off': as_text('valued.percent_off'),
            'probability': as_text('valued.probability'),
            'reasons': 'valued.reasons',
            'revenue_at_risk_minor': 'valued.revenue_at_risk_minor',
            'risk_rank': 'valued.risk_rank',
        }) }} as evidence,
        valued.kind as template,
        {{ as_json_text({
            'amount': money_to_text('valued.amount_minor', 'valued.currency', 'currencies.minor_unit_exponent'),
            'base_rate': share_to_text('valued.base_rate'),
            'coupon': 'valued.coupon_id',
            'customer': safe_name('customers.name', 'valued.customer_id'),
            'horizon_days': as_text('valued.horizon_days'),
            'months': as_text('valued.duration_in_months'),
            'mrr': money_to_text('valued.mrr_minor', 'valued.currency', 'currencies.minor_unit_exponent'),
            'percent_off': share_to_text('cast(valued.percent_off * 0.01 as decimal(18, 6))'),
            'probability': share_to_text('valued.probability'),
            'reasons': 'valued.reasons',
        }) }} as words,
        valued.model_version,
        cast(round(valued.revenue_at_risk_minor * valued.effect) as bigint) - valued.amount_minor
            as expected_value_minor,
        cast(round(valued.revenue_at_risk_minor * valued.effect_low) as bigint) - valued.amount_minor
            as expected_value_low_minor,
        cast(round(valued.revenue_at_risk_minor * valued.effect_high) as bigint) - valued.amount_minor
            as expected_value_high_minor,
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
-- an offer that costs more than it is expected to keep is not advised
where expected_value_minor > 0
