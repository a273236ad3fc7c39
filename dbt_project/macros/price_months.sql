{# Months that the amounts of a customer and currency are of, from a relation like int_scenario_quantities: those of the
   longest of their subscriptions (longest_months), and of all of them together (subscription_months). A year's fee is
   billed in one month, and is of twelve. History: months with a bill, or more where bills are for more; forecast: the
   periods to come until a booked end. Whole months, one at least. #}
{% macro months_of_bills(quantities) %}
    {%- set keys = ['account_id', 'basis', 'customer_id', 'currency'] %}

    select
        {{ keys | join(', ') }},
        max(months) as longest_months,
        sum(months) as subscription_months
    from (
        select
            {{ keys | join(', ') }},
            subscription_id,
            greatest(
                count(distinct month_start),
                cast(round(max(months_ahead)) as bigint),
                -- usage is billed after its period and fees before it: one or the other
                cast(round(sum(case when is_metered then months_billed end)) as bigint),
                cast(round(sum(case when not is_metered then months_billed end)) as bigint),
                1
            ) as months
        from (
            select
                {{ keys | join(', ') }},
                subscription_id,
                is_metered,
                month_start,
                -- two prices billed together are of the same months
                case when month_start is null then price_id end as price_ahead,
                case when month_start is not null then max(period_months) end as months_billed,
                case when month_start is null then sum(weight * repeats * period_months) end as months_ahead
            from {{ quantities }}
            group by
                {{ keys | join(', ') }},
                subscription_id,
                is_metered,
                month_start,
                case when month_start is null then price_id end
        ) as bills
        group by {{ keys | join(', ') }}, subscription_id
    ) as subscriptions
    group by {{ keys | join(', ') }}

{% endmacro %}
