{# Money of an upgrade, per month and over the months that its value is counted, and its figures in words. #}
with

upgrades as (select * from {{ ref('int_tier_upgrades_found') }}),
compared as (select * from {{ ref('int_tier_upgrades_compared') }}),
intervals as (select * from {{ ref('billing_intervals') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

joined as (

    select
        upgrades.*,
        compared.current_cost_minor,
        compared.next_cost_minor,
        compared.next_cost_minor - compared.current_cost_minor as difference_minor,
        compared.licensed_increase_minor,
        least(compared.difference_at_low_minor, compared.difference_at_high_minor) as smaller_difference_minor,
        greatest(compared.difference_at_low_minor, compared.difference_at_high_minor) as larger_difference_minor,
        intervals.intervals_per_year,
        {{ money_to_text('compared.current_cost_minor', 'upgrades.currency', 'currencies.minor_unit_exponent') }}
            as current_cost,
        {{ money_to_text('compared.next_cost_minor', 'upgrades.currency', 'currencies.minor_unit_exponent') }} as next_cost,
        {{ money_to_text(
            'abs(compared.next_cost_minor - compared.current_cost_minor)', 'upgrades.currency',
            'currencies.minor_unit_exponent'
        ) }} as difference,
        {{ safe_name('customers.name', 'upgrades.customer_id') }} as customer,
        {{ safe_name('meters.meter_name', 'upgrades.meter_id') }} as meter,
        {{ safe_name('upgrades.product_name', 'upgrades.product_id') }} as plan,
        {{ safe_name('upgrades.next_product_name', 'upgrades.next_product_id') }} as next_plan,
        {{ quantity_to_text('coalesce(upgrades.next_included_units, 0)') }} as next_included

    from upgrades
    inner join compared
        on
            upgrades.account_id = compared.account_id
            and upgrades.subscription_item_id = compared.upgrade_item_id
    inner join intervals
        on upgrades.billing_interval = intervals.billing_interval
    inner join customers
        on
            upgrades.account_id = customers.account_id
            and upgrades.customer_id = customers.customer_id
    inner join currencies
        on upgrades.currency = currencies.currency
    left join meters
        on
            upgrades.account_id = meters.account_id
            and upgrades.meter_id = meters.meter_id

),

valued as (

    select
        joined.*,
        {{ monthly_amount('licensed_increase_minor', 'intervals_per_year', 'interval_count') }}
            as monthly_licensed_increase_minor,
        {{ monthly_amount('difference_minor', 'intervals_per_year', 'interval_count') }} as monthly_change_minor,
        {{ monthly_amount('difference_minor * value_months', 'intervals_per_year', 'interval_count') }}
            as expected_value_minor,
        {{ monthly_amount('smaller_difference_minor * value_months', 'intervals_per_year', 'interval_count') }}
            as value_at_smaller_difference_minor,
        {{ monthly_amount('larger_difference_minor * value_months', 'intervals_per_year', 'interval_count') }}
            as value_at_larger_difference_minor,
        case
            when quantity_so_far >= threshold_quantity then 1.0
            when projected_quantity_low >= threshold_quantity then 0.9
            else 0.5
        end as confidence,
        {{ as_json_text({
            'comparison': fill_template('templates.body', {
                'current_cost': 'current_cost', 'difference': 'difference', 'next_cost': 'next_cost',
                'next_included': 'next_included', 'next_plan': 'next_plan',
            }),
            'customer': 'customer',
            'days_in_period': as_text('days_in_period'),
            'days_left': as_text('days_remaining'),
            'difference': 'difference',
            'included': quantity_to_text('included_units'),
            'meter': 'meter',
            'next_included': 'next_included',
            'next_plan': 'next_plan',
            'plan': 'plan',
            'projected_share': share_to_text('projected_share'),
            'used_share': share_to_text('used_share'),
        }) }} as words

    from joined
    inner join templates
        on
            case
                when joined.difference_minor < 0 then 'tier_upgrade_cheaper'
                when joined.difference_minor > 0 then 'tier_upgrade_dearer'
                else 'tier_upgrade_equal'
            end = templates.kind

)

select * from valued
