{# The mirror of an upgrade, at the end of the period. It gives revenue up for good, so it is advised only to customers
   whom it saves something worth a letter, and of whom a smaller bill is worth more than the one that may be lost: the
   expected value is above zero, or the risk above that of customers in general. #}
with

moves as (select * from {{ ref('int_plan_moves_valued') }} where kind = 'right_size_downgrade'),
floors as (select * from {{ ref('action_rules') }} where name = 'floor_minor'),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),

in_words as (

    select
        moves.*,
        {{ safe_name('customers.name', 'moves.customer_id') }} as customer,
        {{ move_words('moves', 'meters', 'currencies') }}

    from moves
    inner join floors
        on {{ same_keys('moves', 'floors', ['kind', 'currency']) }} and -moves.monthly_mean_minor >= floors.value
    inner join customers
        on {{ same_keys('moves', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies
        on moves.currency = currencies.currency
    left join meters
        on {{ same_keys('moves', 'meters', ['account_id', 'meter_id']) }}
    where
        moves.expected_value_minor > 0
        or moves.probability > moves.base_rate

),

proposed as (

    select
        moves.account_id,
        moves.kind,
        moves.as_of,
        moves.customer_id,
        moves.subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        moves.subscription_item_id as subject_id,
        moves.next_price_id as target_key,
        {{ date_text('moves.period_start') }} as period,
        moves.currency,
        -- exposure: what is given up a month
        -moves.monthly_mean_minor as amount_minor,
        {{ share_of('moves.difference_minor', 'moves.current_cost_minor') }} as pct_change,
        moves.monthly_mean_minor as monthly_change_minor,
        {{ as_json_text({
            'at': "'period_end'",
            'items': 'moves.items_sent',
            'subscription': 'moves.subscription_id',
        }) }} as params,
        {{ as_json_text({
            'currency': 'preconditions.currency',
            'customer': 'preconditions.customer_id',
            'items': 'preconditions.items',
            'livemode': 'preconditions.livemode',
            'new_prices': 'moves.new_prices',
            'period': json_of_values(['moves.period_starts_at', 'moves.period_ends_at']),
            'subscription': 'preconditions.subscription_id',
            'subscription_status': 'preconditions.status',
        }) }} as precondition,
        {{ move_evidence('moves') }} as evidence,
        moves.kind as template,
        {{ as_json_text({
            'base_rate': share_to_text('coalesce(moves.base_rate, moves.probability)'),
            'cheaper_chance': 'moves.cheaper_chance_words',
            'current_cost': 'moves.current_cost',
            'customer': 'moves.customer',
            'difference': 'moves.difference',
            'horizon_days': "'" ~ (churn_horizon_days() | trim) ~ "'",
            'meter': 'moves.meter',
            'next_cost': 'moves.next_cost',
            'next_plan': 'moves.next_plan',
            'period_end': date_text('moves.period_end'),
            'plan': 'moves.plan',
            'probability': share_to_text('moves.probability'),
            'projected': 'moves.projected',
        }) }} as words,
        moves.model_version,
        moves.expected_value_minor,
        moves.expected_value_low_minor,
        moves.expected_value_high_minor,
        cast(moves.cheaper_chance as {{ double_type() }}) as confidence,
        cast(moves.probability as {{ double_type() }}) as urgency

    from in_words as moves
    inner join preconditions
        on {{ same_keys('moves', 'preconditions', ['account_id', 'subscription_id']) }}

)

select * from proposed
