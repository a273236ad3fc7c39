{# What a customer had on the days that churn is judged on: the plan last billed, the last upgrade, seats, discount. #}
with

customer_days as (select * from {{ ref('int_customer_days') }}),
plans as (select * from {{ ref('int_plan_history') }}),
seats as (select * from {{ ref('int_customer_seats_asof') }}),

on_plan as (

    select
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date,
        {{ latest_by('plans.plan_rank', ['plans.known_from', 'plans.plan_rank']) }} as plan_rank,
        max(case when plans.is_upgrade then cast(plans.known_from as date) end) as upgraded_on
    from customer_days
    inner join plans
        on
            customer_days.account_id = plans.account_id
            and customer_days.customer_id = plans.customer_id
            and customer_days.valued_until > plans.known_from
    group by
        customer_days.account_id,
        customer_days.customer_id,
        customer_days.as_of_date

)

select
    customer_days.account_id,
    customer_days.customer_id,
    customer_days.as_of_date,
    on_plan.plan_rank,
    {{ months_from('on_plan.upgraded_on', 'customer_days.as_of_date') }} as months_since_upgrade,
    coalesce(seats.seats, 0) as seats,
    coalesce(seats.has_discount, false) as has_discount
from customer_days
left join on_plan
    on
        customer_days.account_id = on_plan.account_id
        and customer_days.customer_id = on_plan.customer_id
        and customer_days.as_of_date = on_plan.as_of_date
left join seats
    on {{ same_keys('customer_days', 'seats', ['account_id', 'customer_id', 'as_of_date']) }}
