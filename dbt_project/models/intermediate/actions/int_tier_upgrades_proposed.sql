{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON. #}
with

moves as (select * from {{ ref('int_plan_moves_valued') }} where kind = 'tier_upgrade'),
preconditions as (select * from {{ ref('int_subscriptions_preconditioned') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        moves.*,
        case
            when moves.difference_minor < 0 then 'cheaper'
            when moves.difference_minor > 0 then 'dearer'
            else 'equal'
        end as comparison_case,
        {{ safe_name('customers.name', 'moves.customer_id') }} as customer,
        {{ move_words('moves', 'meters', 'currencies') }}

    from moves
    inner join customers
        on {{ same_keys('moves', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies
        on moves.currency = currencies.currency
    left join meters
        on {{ same_keys('moves', 'meters', ['account_id', 'meter_id']) }}

),

texted as (

    select
        moves.*,
        {{ fill_template('comparisons.body', move_slots('moves')) }} as comparison,
        {{ fill_template('offers.body', move_slots('moves')) }} as offer

    from in_words as moves
    inner join templates as comparisons
        on comparisons.kind = 'tier_upgrade_' || moves.comparison_case
    inner join templates as offers
        on offers.kind = 'tier_upgrade_offer_' || moves.comparison_case

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
        -- exposure: a higher plan with a lower base fee exposes nobody
        greatest(moves.monthly_licensed_minor, 0) as amount_minor,
        {{ share_of('moves.difference_minor', 'moves.current_cost_minor') }} as pct_change,
        moves.monthly_mean_minor as monthly_change_minor,
        {{ as_json_text({
            'items': 'moves.items_sent',
            'proration_behavior': "'none'",
            'subscription': 'moves.subscription_id',
        }) }} as params,
        preconditions.precondition,
        {{ move_evidence('moves') }} as evidence,
        -- advised for its quota, where nothing is forecast by its pace, or for its price alone
        case
            when not moves.is_pressed then 'tier_upgrade_priced'
            when moves.basis < 0 then 'tier_upgrade_paced'
            else moves.kind
        end as template,
        {{ as_json_text({
            'cheaper_chance': 'moves.cheaper_chance_words',
            'comparison': 'moves.comparison',
            'customer': 'moves.customer',
            'days_in_period': as_text('moves.days_in_period'),
            'days_left': as_text('moves.days_remaining'),
            'included': 'moves.included',
            'last_share': share_to_text('moves.last_share'),
            'meter': 'moves.meter',
            'next_plan': 'moves.next_plan',
            'offer': 'moves.offer',
            'plan': 'moves.plan',
            'projected': 'moves.projected',
            'projected_share': share_to_text('moves.projected_share'),
            'used': 'moves.used',
            'used_share': share_to_text('moves.used_share'),
        }) }} as words,
        moves.model_version,
        moves.expected_value_minor,
        moves.expected_value_low_minor,
        moves.expected_value_high_minor,
        -- the share of paths on which it is so: pressed in the running period as in the last, or cheaper in the next
        cast(greatest(
            case when moves.is_pressed then moves.near_chance else 0 end,
            case when moves.is_cheaper then moves.cheaper_chance else 0 end
        ) as {{ double_type() }}) as confidence,
        cast(coalesce(moves.projected_share, moves.cheaper_chance) as {{ double_type() }}) as urgency

    from texted as moves
    inner join preconditions
        on {{ same_keys('moves', 'preconditions', ['account_id', 'subscription_id']) }}

)

select * from proposed
