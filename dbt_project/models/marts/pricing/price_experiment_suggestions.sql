{# Which price a test would teach most about: where the assumed answers of customers leave the largest difference in
   money between the best and the worst that a price a tenth higher could bring. #}
{% set tier = ['account_id', 'plan', 'meter_event_name', 'currency', 'tier_index'] %}
with

steps as (select * from {{ ref('fct_rating_steps') }} where not is_flat_fee and unit_amount_decimal > 0),
periods as (select * from {{ ref('fct_usage_periods') }} where not is_open and not is_trial),
as_of as (select * from {{ ref('int_as_of') }}),
prices as (select * from {{ ref('dim_prices') }} where experiment_id is null),
customers as (select * from {{ ref('dim_customers') }}),
answers as ({{ elasticities('usage') }}),
observed as (select * from {{ ref('pricing_elasticity') }} where segment = 'all'),
currencies as (select * from {{ ref('currencies') }}),
templates as (
    select * from {{ ref('message_templates') }} where locale = 'en' and kind = 'price_experiment_suggestion'
),

-- of each item the period that closed within the last month, never two: a month of revenue
recent as (

    select
        steps.account_id,
        coalesce(prices.plan, '') as plan,
        prices.meter_event_name,
        steps.currency,
        steps.tier_index,
        steps.unit_amount_decimal,
        periods.customer_id,
        steps.amount_minor,
        answers.low,
        answers.high,
        as_of.as_of
    from steps
    inner join periods on {{ same_keys('steps', 'periods', ['account_id', 'subscription_item_id', 'period_start']) }}
    inner join as_of
        on
            periods.account_id = as_of.account_id
            and periods.period_end > {{ add_months('as_of.as_of + 1', -1) }}
            and periods.period_end < as_of.as_of + 2
    inner join prices on {{ same_keys('steps', 'prices', ['account_id', 'price_id']) }}
    inner join customers on {{ same_keys('periods', 'customers', ['account_id', 'customer_id']) }}
    inner join answers
        on
            prices.meter_event_name = answers.meter_event_name
            and coalesce(customers.segment, '') = answers.segment

),

summed as (

    select
        {{ columns_of('recent', tier) }},
        as_of,
        max(unit_amount_decimal) as unit_amount_decimal,
        count(distinct customer_id) as customers_n,
        cast(sum(amount_minor) as bigint) as revenue_minor,
        {{ change_at_a_tenth_more('amount_minor', 'low') }} as change_low_minor,
        {{ change_at_a_tenth_more('amount_minor', 'high') }} as change_high_minor
    from recent
    group by {{ columns_of('recent', tier) }}, as_of

),

ranked as (

    select
        *,
        row_number() over (
            partition by account_id, currency
            order by
                customers_n >= 20 desc, change_high_minor - change_low_minor desc,
                meter_event_name asc, plan asc, tier_index asc
        ) as suggestion_number
    from summed

),

in_words as (

    select
        ranked.*,
        case when ranked.plan = '' then 'beside the plans' else 'on ' || {{ safe_text('ranked.plan') }} end as place,
        {{ amounts_to_text(
            {'revenue': 'ranked.revenue_minor', 'low': 'ranked.change_low_minor', 'high': 'ranked.change_high_minor'},
            'ranked.currency', 'currencies.minor_unit_exponent'
        ) }}
    from ranked
    inner join currencies on ranked.currency = currencies.currency

)

select
    {{ columns_of('in_words', ['account_id', 'currency']) }},
    cast(in_words.suggestion_number as integer) as suggestion_number,
    nullif(in_words.plan, '') as plan,
    in_words.meter_event_name,
    in_words.tier_index,
    in_words.unit_amount_decimal,
    in_words.customers_n,
    in_words.revenue_minor,
    in_words.change_low_minor,
    in_words.change_high_minor,
    in_words.change_high_minor - in_words.change_low_minor as unknown_minor,
    observed.estimate as observed_elasticity,
    coalesce(observed.n, 0) as observed_n,
    in_words.suggestion_number = 1 and in_words.customers_n >= 20 as is_suggested,
    {{ fill_template('templates.body', {
        'tier': 'in_words.tier_index',
        'meter': safe_text('in_words.meter_event_name'),
        'plan': 'in_words.place',
        'revenue': 'in_words.revenue',
        'customers': 'in_words.customers_n',
        'low': 'in_words.low',
        'high': 'in_words.high',
        'seen': 'coalesce(observed.n, 0)',
    }) }} as said,
    in_words.as_of
from in_words
cross join templates
left join observed on {{ same_keys('in_words', 'observed', ['account_id', 'meter_event_name']) }}
