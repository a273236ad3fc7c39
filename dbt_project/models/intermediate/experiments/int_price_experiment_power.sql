{# What an experiment could find, by the account's own history: all who paid such a price, those who left since too,
   over as many weeks before it begins. What the time before does not explain of the time after is noise; the smallest effect
   found in 8 of 10 cases, by a test at 5 %, is that much of it (Bloom 1995). #}
{% set key = ['account_id', 'experiment_id'] %}
with

assigned as (select * from {{ ref('price_experiment_assignments') }} where variant is not null),
controls as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null and is_control),
items as (select * from {{ ref('int_subscription_items') }}),
prices as (select * from {{ ref('dim_prices') }}),
customers as (select * from {{ ref('dim_customers') }}),
daily_usage as (select * from {{ ref('fct_usage_daily') }} where is_counted),
invoices as (
    select * from {{ ref('fct_invoices') }}
    where billing_reason = 'subscription_cycle' and status not in ('draft', 'void')
),
fours as (select {{ numbers_between(0, 6) }} as number),

sizes as (

    select
        {{ columns_of('assigned', key) }},
        assigned.variant,
        assigned.is_control,
        max(coalesce(assigned.enrolled_on, assigned.as_of)) as anchor,
        count(*) as n,
        max(case when assigned.is_control then count(*) end) over (partition by {{ columns_of('assigned', key) }})
            as control_n
    from assigned
    group by {{ columns_of('assigned', key) }}, assigned.variant, assigned.is_control

),

anchored as ({{ past_payers('controls', 'sizes', 'prices', 'items', 'customers') }}),
parts as ({{ history_in_weeks('anchored', 'daily_usage', 'invoices', key + ['customer_id']) }}),

lengths as (

    select
        {{ columns_of('controls', key) }},
        fours.number,
        controls.wanted_effect,
        {{ whole_weeks('controls.pre_days') }} as before_weeks,
        case
            when fours.number > 0 then 4 * fours.number
            else {{ whole_weeks(days_from('controls.starts_on', 'controls.ends_on') ~ ' + 1 - controls.settle_days') }}
        end as weeks
    from controls
    cross join fours

),

histories as (

    select
        {{ columns_of('lengths', key) }},
        lengths.number,
        parts.customer_id,
        {{ log_of_parts('parts', 'parts.end_back >= lengths.weeks') }} as x,
        {{ log_of_parts('parts', 'parts.start_back < lengths.weeks') }} as y
    from lengths
    inner join parts
        on
            {{ same_keys('lengths', 'parts', key) }}
            and parts.end_back < lengths.weeks + lengths.before_weeks
    group by {{ columns_of('lengths', key) }}, lengths.number, lengths.weeks, lengths.before_weeks, parts.customer_id
    having max(parts.start_back) >= lengths.weeks + lengths.before_weeks - 1

),

noise as (

    select
        account_id,
        experiment_id,
        number,
        count(*) as history_n,
        {{ unexplained_spread('x', 'y') }} as noise
    from histories
    where x is not null and y is not null
    group by account_id, experiment_id, number
    having count(*) >= 10

),

detectable as (

    select
        {{ columns_of('sizes', key) }},
        sizes.variant,
        lengths.number,
        lengths.weeks,
        lengths.wanted_effect,
        noise.history_n,
        exp(noise.noise * {{ detectable_in_noise('sizes.n', 'sizes.control_n') }}) - 1 as effect
    from sizes
    inner join lengths on {{ same_keys('sizes', 'lengths', key) }}
    inner join noise on {{ same_keys('lengths', 'noise', key + ['number']) }}
    where not sizes.is_control and sizes.n >= 5 and sizes.control_n >= 5

)

select
    {{ columns_of('detectable', key) }},
    variant,
    max(case when number = 0 then history_n end) as history_n,
    max(case when number = 0 then effect end) as detectable_effect,
    7 * min(case when number > 0 and effect <= wanted_effect then weeks end) as days_needed
from detectable
group by {{ columns_of('detectable', key) }}, variant
