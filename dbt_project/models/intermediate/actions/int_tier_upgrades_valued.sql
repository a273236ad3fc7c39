{# Money of an upgrade, per month and over the months that its value is counted. #}
with

upgrades as (select * from {{ ref('int_tier_upgrades_found') }}),
compared as (select * from {{ ref('int_tier_upgrades_compared') }}),
intervals as (select * from {{ ref('billing_intervals') }}),

joined as (

    select
        upgrades.*,
        compared.current_cost_minor,
        compared.next_cost_minor,
        compared.next_cost_minor - compared.current_cost_minor as difference_minor,
        compared.licensed_increase_minor,
        least(compared.difference_at_low_minor, compared.difference_at_high_minor) as smaller_difference_minor,
        greatest(compared.difference_at_low_minor, compared.difference_at_high_minor) as larger_difference_minor,
        intervals.intervals_per_year

    from upgrades
    inner join compared
        on
            upgrades.account_id = compared.account_id
            and upgrades.subscription_item_id = compared.upgrade_item_id
    inner join intervals
        on upgrades.billing_interval = intervals.billing_interval

),

valued as (

    select
        *,
        {{ monthly_amount('licensed_increase_minor', 'intervals_per_year', 'interval_count') }}
            as monthly_licensed_increase_minor,
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
        end as confidence

    from joined

)

select * from valued
