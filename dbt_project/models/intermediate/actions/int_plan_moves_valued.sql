{# Money of a move: what the customer brings in over the counted months with it, less what without. A month's bill
   counts as often as the customer is expected to be there, the month of leaving included: per month the odds of
   leaving are those of the risk model, and in the first three months they change by (bill after / before)^k, k an
   assumption with a band (seed elasticity_assumptions). An upgrade takes effect at once, so that what has been used of the running period is
   rated anew; a downgrade with the next period. The band is the widest of k's and of the paths' (80 %). #}
{% set cases = {
    'expected': ('effect', 'mean'), 'with_low_effect': ('effect_low', 'mean'), 'with_high_effect': ('effect_high', 'mean'),
    'with_low_usage': ('effect', 'low'), 'with_high_usage': ('effect', 'high'),
} %}
{% set ends = cases.keys() | join('_minor, ') ~ '_minor' %}
with

moves as (select * from {{ ref('int_plan_moves_judged') }}),
moved_items as (select * from {{ ref('int_plan_moves_screened') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
months as (select * from {{ ref('fct_mrr_monthly') }}),
risks as (
    select * from {{ ref('churn_risk') }}
    where is_current and horizon_days = {{ churn_horizon_days() }}
),
customers as (select * from {{ ref('dim_customers') }}),
answers as ({{ elasticities('churn') }}),

-- a price change resets a licensed quantity to 1 unless it is sent; a metered item takes none
items_written as (

    select
        account_id,
        subscription_id,
        next_product_id,
        {{ json_of_rows(
            'case when licensed_quantity is null then '
            ~ as_json({'id': 'subscription_item_id', 'price': 'next_price_id'})
            ~ ' else '
            ~ as_json({'id': 'subscription_item_id', 'price': 'next_price_id', 'quantity': 'licensed_quantity'}) ~ ' end',
            'subscription_item_id'
        ) }} as items_sent,
        {{ json_of_rows('next_price_id', 'next_price_id') }} as new_prices

    from moved_items
    group by account_id, subscription_id, next_product_id

),

monthly as (

    select
        moves.*,
        {{ columns_of('items_written', ['items_sent', 'new_prices']) }},
        {{ value_months('moves.value_months') }} as months,
        moves.next_cost_minor - moves.current_cost_minor as difference_minor,
        {% for name, amount in {
            'licensed': 'moves.licensed_increase_minor',
            'mean': 'moves.next_cost_minor - moves.current_cost_minor', 'low': 'moves.difference_low_minor',
            'high': 'moves.difference_high_minor',
        }.items() -%}
            {{ monthly_amount('(' ~ amount ~ ')', 'intervals.intervals_per_year', 'moves.interval_count') }}
                as monthly_{{ name }}_minor,
        {% endfor -%}
        greatest(
            coalesce(months.mrr_minor, 0),
            {{ monthly_amount('moves.current_cost_minor', 'intervals.intervals_per_year', 'moves.interval_count') }},
            1
        ) as bill_minor,
        cast(coalesce(risks.probability, risks.base_rate, 0) as decimal(9, 6)) as probability,
        cast(risks.base_rate as decimal(9, 6)) as base_rate,
        -- of one month; a customer who has left for certain cannot be asked
        {{ leaves_in_a_month('least(coalesce(risks.probability, risks.base_rate, 0), 0.999)') }} as leaves_in_a_month,
        {{ share_of('moves.days_elapsed', 'moves.days_in_period') }} as elapsed_share,
        -- without an assumption the bill changes nobody's mind
        coalesce(answers.low, 0) as effect_low,
        coalesce(answers.mid, 0) as effect,
        coalesce(answers.high, 0) as effect_high

    from moves
    inner join customers
        on {{ same_keys('moves', 'customers', ['account_id', 'customer_id']) }}
    inner join items_written
        on {{ same_keys('moves', 'items_written', ['account_id', 'subscription_id', 'next_product_id']) }}
    inner join intervals
        on moves.billing_interval = intervals.billing_interval
    left join answers
        on coalesce(customers.segment, '') = answers.segment
    left join months
        on
            {{ same_keys('moves', 'months', ['account_id', 'customer_id', 'currency']) }}
            and months.month_start = date_trunc('month', moves.as_of)
    left join risks
        on {{ same_keys('moves', 'risks', ['account_id', 'customer_id']) }}

),

changed as (

    select
        *,
        {{ move_leaves(cases) }}
    from monthly

),

valued as (

    select
        *,
        {{ move_values(cases) }}
    from changed

)

select
    *,
    expected_minor as expected_value_minor,
    least({{ ends }}) as expected_value_low_minor,
    greatest({{ ends }}) as expected_value_high_minor
from valued
