{# The bills of int_scenario_customers beside each other, and what they make of a customer's value: a dearer bill is
   worth more a month, for fewer months. #}
{% set bounds = ['low', 'mid', 'high'] %}
with

customers as (select * from {{ ref('int_scenario_customers') }}),
lifetimes as (select * from {{ ref('customer_ltv') }}),
answers as ({{ elasticities('churn') }}),

staying as (

    select
        customers.*,
        {% for bound in bounds -%}
            customers.{{ bound }}_minor - customers.before_cost_minor - customers.{{ bound }}_cost_change_minor
                as {{ bound }}_margin_minor,
            case
                when customers.reach != 'repriced' or lifetimes.monthly_churn + lifetimes.lifetime_cap_months is null
                    then lifetimes.expected_months_mid
                else cast({{ months_stayed_after_a_change(
                    answered_churn(
                        'lifetimes.monthly_churn', 'customers.unchanged_usage_minor', 'customers.before_minor',
                        'coalesce(answers.' ~ bound ~ ', 0)'
                    ),
                    'lifetimes.monthly_churn',
                    'lifetimes.lifetime_cap_months'
                ) }} as decimal(9, 2))
            end as months_{{ bound }},
        {% endfor -%}
        lifetimes.expected_months_mid as months_before
    from customers
    left join lifetimes
        on {{ same_keys('customers', 'lifetimes', ['account_id', 'customer_id', 'currency']) }}
    left join answers
        on coalesce(customers.segment, '') = answers.segment

),

worthy as (

    select
        *,
        {% for margin, stay in [('low', 'low'), ('low', 'high'), ('high', 'low'), ('high', 'high')] -%}
            {{ worth(margin ~ '_margin_minor', 'months_' ~ stay, 'months') }} as worth_{{ margin }}_{{ stay }},
        {% endfor -%}
        {{ worth('before_minor - before_cost_minor', 'months_before', 'months') }} as ltv_before_minor,
        {{ worth('mid_margin_minor', 'months_mid', 'months') }} as ltv_after_minor
    from staying

)

select
    -- who, under what
    account_id,
    book,
    basis,
    customer_id,
    currency,
    segment,

    -- whether it reaches them
    reach,
    cast(repriced_periods as integer) as repriced_periods,
    cast(grandfathered_periods as integer) as grandfathered_periods,
    cast(locked_periods as integer) as locked_periods,

    -- what it changes
    cast(months as integer) as months,
    invoiced_minor,
    before_minor,
    unchanged_usage_minor as after_unchanged_usage_minor,
    mid_minor as after_minor,
    least(low_minor, mid_minor, high_minor) as after_low_minor,
    greatest(low_minor, mid_minor, high_minor) as after_high_minor,
    mid_minor - before_minor as change_minor,
    {{ share_of('unchanged_usage_minor - before_minor', 'before_minor') }} as bill_change_share,
    case
        when unchanged_usage_minor > before_minor then 'loser'
        when unchanged_usage_minor < before_minor then 'winner'
        else 'unchanged'
    end as outcome,
    cast(months_shocked as integer) as months_shocked,
    months_shocked > 0 as is_bill_shock,

    -- what is left of it, and for how long
    before_cost_minor as cost_before_minor,
    before_cost_minor + mid_cost_change_minor as cost_after_minor,
    ltv_before_minor,
    ltv_after_minor,
    least(ltv_after_minor, worth_low_low, worth_low_high, worth_high_low, worth_high_high) as ltv_after_low_minor,
    greatest(ltv_after_minor, worth_low_low, worth_low_high, worth_high_low, worth_high_high) as ltv_after_high_minor,

    -- what to know beside it
    cast(unrated as integer) as unrated_periods,
    has_other_currency
from worthy
