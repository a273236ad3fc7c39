{# Nothing is said of effects before the last day is over, but for what must stop an experiment: who looks every day and
   ends it at the first difference finds one where there is none. #}
{% set key = ['account_id', 'experiment_id', 'variant'] %}
{% set told = ['effect', 'low_80', 'high_80', 'low_95', 'high_95'] %}
with

variants as (select * from {{ ref('int_price_experiments_judged') }}),
assignments as (select * from {{ ref('price_experiment_assignments') }}),
power as (select * from {{ ref('int_price_experiment_power') }}),
effects as (select * from {{ ref('int_price_experiment_effects') }}),

sizes as (

    select
        {{ columns_of('variants', key) }},
        count(*) as considered_n,
        count(assignments.exclusion) as excluded_n,
        count(case when variants.variant = assignments.variant then 1 end) as assigned_n,
        count(case when assignments.is_control then 1 end) as control_n,
        max(assignments.enrolled_on) as enrolled_on
    from variants
    inner join assignments on {{ same_keys('variants', 'assignments', key[:2]) }}
    group by {{ columns_of('variants', key) }}

),

measured as (

    select
        {{ columns_of('effects', key) }},
        {% for metric in ['usage', 'revenue', 'churn'] -%}
            {{ value_of_metric('effects.variant_n + effects.control_n', metric) }} as {{ metric }}_n,
            {% for part in told -%}
                {{ value_of_metric(
                    'effects.' ~ part if metric == 'churn' else 'exp(effects.' ~ part ~ ') - 1', metric
                ) }} as {{ metric }}_{{ part }},
            {% endfor -%}
        {% endfor -%}
        {{ value_of_metric('effects.variant_share', 'churn') }} as left_share,
        {{ value_of_metric('effects.control_share', 'churn') }} as control_left_share,
        {{ value_of_metric('effects.variant_share', 'bill_shock') }} as shocked_share,
        {{ value_of_metric('effects.control_share', 'bill_shock') }} as control_shocked_share,
        {{ value_of_metric('case when effects.low_80 > 0 then effects.effect end', 'churn') }} as churn_beyond_chance,
        {{ value_of_metric('case when effects.low_80 > 0 then effects.effect end', 'bill_shock') }}
            as shock_beyond_chance
    from effects
    group by {{ columns_of('effects', key) }}

),

joined as (

    select
        variants.*,
        coalesce(sizes.considered_n, 0) as considered_n,
        coalesce(sizes.excluded_n, 0) as excluded_n,
        coalesce(sizes.assigned_n, 0) as assigned_n,
        coalesce(sizes.control_n, 0) as control_n,
        sizes.enrolled_on as kept_on,
        power.history_n,
        power.detectable_effect,
        power.days_needed,
        {% for metric in ['usage', 'revenue', 'churn'] -%}
            measured.{{ metric }}_n,
            {% for part in told -%}
                measured.{{ metric }}_{{ part }},
            {% endfor -%}
        {% endfor -%}
        measured.left_share,
        measured.control_left_share,
        measured.shocked_share,
        measured.control_shocked_share,
        coalesce(measured.churn_beyond_chance > variants.most_churn_increase, false)
        or coalesce(measured.shock_beyond_chance > variants.most_bill_shock, false) as is_harmful
    from variants
    left join sizes on {{ same_keys('variants', 'sizes', key) }}
    left join power on {{ same_keys('variants', 'power', key) }}
    left join measured on {{ same_keys('variants', 'measured', key) }}

),

stated as (

    select
        *,
        case
            when refusal is not null then 'refused'
            when is_released = 'false' then 'draft'
            when as_of >= ends_on then 'ended'
            when bool_or(is_harmful) over (partition by account_id, experiment_id) then 'stopped_by_guardrail'
            when as_of + 1 >= starts_on then 'running'
            else 'planned'
        end as state
    from joined

),

chosen as (

    select
        *,
        {% for part in told -%}
            case primary_metric when 'usage' then usage_{{ part }} else revenue_{{ part }} end as {{ part }},
        {% endfor -%}
        state = 'ended' and not is_control as is_judged
    from stated

)

select
    *,
    case
        when not is_judged then null
        when is_harmful then 'loser'
        when low_95 > 0 then 'winner'
        when high_95 < 0 then 'loser'
        when low_95 > -wanted_effect and high_95 < wanted_effect then 'no_difference_shown'
        else 'underpowered'
    end as verdict
from chosen
