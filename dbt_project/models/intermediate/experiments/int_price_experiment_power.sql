{# What an experiment could find, by the account's own history: those who would take part, compared with themselves over as
   many weeks before it begins, when nobody was treated. What the time before does not explain of the time after is noise;
   the smallest effect found in 8 of 10 cases, by a test at 5 %, is that much of it (Bloom 1995). #}
{% set key = ['account_id', 'experiment_id'] %}
with

assigned as (select * from {{ ref('price_experiment_assignments') }} where variant is not null),
variants as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null),
controls as (select * from {{ ref('int_price_experiments_judged') }} where refusal is null and is_control),
daily_usage as (select * from {{ ref('fct_usage_daily') }} where is_counted),
invoices as (
    select * from {{ ref('fct_invoices') }}
    where billing_reason = 'subscription_cycle' and status not in ('draft', 'void')
),
-- 0 stands for the weeks that are planned, the others for 4 to 24
fours as (select {{ numbers_between(0, 6) }} as number),

anchored as (

    select
        {{ columns_of('assigned', key) }},
        assigned.customer_id,
        controls.meter,
        controls.primary_metric,
        coalesce(assigned.enrolled_on, assigned.as_of) as anchor
    from assigned
    inner join controls on {{ same_keys('assigned', 'controls', key) }}

),

parts as (

    select
        {{ columns_of('anchored', key + ['customer_id']) }},
        {{ whole_weeks(days_from('daily_usage.usage_date', 'anchored.anchor')) }} as start_back,
        {{ whole_weeks(days_from('daily_usage.usage_date', 'anchored.anchor')) }} as end_back,
        sum(daily_usage.quantity) as amount
    from anchored
    inner join daily_usage
        on
            {{ same_keys('anchored', 'daily_usage', ['account_id', 'customer_id']) }}
            and anchored.meter = daily_usage.meter_event_name
            and daily_usage.usage_date between anchored.anchor - 370 and anchored.anchor
            and anchored.primary_metric = 'usage'
    group by {{ columns_of('anchored', key + ['customer_id']) }}, start_back
    union all
    select
        {{ columns_of('anchored', key + ['customer_id']) }},
        {{ whole_weeks(days_from('cast(invoices.period_start as date)', 'anchored.anchor')) }} as start_back,
        {{ whole_weeks(days_from('cast(invoices.period_end as date)', 'anchored.anchor')) }} as end_back,
        invoices.subtotal_minor - invoices.discount_minor as amount
    from anchored
    inner join invoices
        on
            {{ same_keys('anchored', 'invoices', ['account_id', 'customer_id']) }}
            and cast(invoices.period_end as date) between anchored.anchor - 370 and anchored.anchor
            and anchored.primary_metric = 'revenue'

),

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
        {{ log_of_mean(
            'sum(case when parts.end_back >= lengths.weeks then parts.amount end)',
            'count(case when parts.end_back >= lengths.weeks then 1 end)'
        ) }} as x,
        {{ log_of_mean(
            'sum(case when parts.start_back < lengths.weeks then parts.amount end)',
            'count(case when parts.start_back < lengths.weeks then 1 end)'
        ) }} as y
    from lengths
    inner join parts
        on
            {{ same_keys('lengths', 'parts', key) }}
            and parts.end_back < lengths.weeks + lengths.before_weeks
    group by {{ columns_of('lengths', key) }}, lengths.number, lengths.weeks, lengths.before_weeks, parts.customer_id
    -- only who was there all the time
    having max(parts.start_back) >= lengths.weeks + lengths.before_weeks - 1

),

noise as (

    select
        account_id,
        experiment_id,
        number,
        count(*) as history_n,
        sqrt(greatest({{ share_of(
            centred('y', 'y') ~ ' - ' ~ share_of('power(' ~ centred('x', 'y') ~ ', 2)', centred('x', 'x'), 'double'),
            'count(*) - 2', 'double'
        ) }}, 0)) as noise
    from histories
    where x is not null and y is not null
    group by account_id, experiment_id, number
    having count(*) >= 10

),

sizes as (

    select
        account_id,
        experiment_id,
        variant,
        count(*) as n
    from assigned
    group by account_id, experiment_id, variant

),

detectable as (

    select
        lengths.*,
        variants.variant,
        treated.n as variant_n,
        untreated.n as control_n,
        noise.history_n,
        noise.noise,
        exp(noise.noise * {{ detectable_in_noise('treated.n', 'untreated.n') }}) - 1 as detectable_effect
    from lengths
    inner join variants on {{ same_keys('lengths', 'variants', key) }} and not variants.is_control
    inner join controls on {{ same_keys('lengths', 'controls', key) }}
    left join noise on {{ same_keys('lengths', 'noise', key + ['number']) }}
    left join sizes as treated on {{ same_keys('variants', 'treated', key + ['variant']) }} and treated.n >= 5
    left join sizes as untreated on {{ same_keys('controls', 'untreated', key + ['variant']) }} and untreated.n >= 5

)

select
    account_id,
    experiment_id,
    variant,
    max(case when number = 0 then history_n end) as history_n,
    max(case when number = 0 then noise end) as noise,
    max(case when number = 0 then detectable_effect end) as detectable_effect,
    7 * min(case when number > 0 and detectable_effect <= wanted_effect then weeks end) as days_needed
from detectable
group by account_id, experiment_id, variant
