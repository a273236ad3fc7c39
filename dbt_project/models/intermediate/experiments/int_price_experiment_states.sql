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
            max(case when effects.metric = '{{ metric }}' then effects.variant_n + effects.control_n end) as {{ metric }}_n,
            {% for part in told -%}
                max(case when effects.metric = '{{ metric }}' then
                    {{ 'effects.' ~ part if metric == 'churn' else 'exp(effects.' ~ part ~ ') - 1' }} end)
                    as {{ metric }}_{{ part }},
            {% endfor -%}
        {% endfor -%}
        max(case when effects.metric = 'churn' then effects.variant_share end) as left_share,
        max(case when effects.metric = 'churn' then effects.control_share end) as control_left_share,
        max(case when effects.metric = 'bill_shock' then effects.variant_share end) as shocked_share,
        max(case when effects.metric = 'bill_shock' then effects.control_share end) as control_shocked_share,
        max(case when effects.metric = 'churn' and effects.low_80 > 0 then effects.effect end) as churn_beyond_chance,
        max(case when effects.metric = 'bill_shock' and effects.low_80 > 0 then effects.effect end) as shock_beyond_chance
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
            {% for part in told -%} measured.{{ metric }}_{{ part }}, {% endfor %}
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

)

select
    *,
    case
        when state != 'ended' or is_control then null
        when is_harmful then 'loser'
        when low_95 > 0 then 'winner'
        when high_95 < 0 then 'loser'
        when low_95 > -wanted_effect and high_95 < wanted_effect then 'no_difference_shown'
        else 'underpowered'
    end as verdict
from (
    select
        *,
        {% for part in told -%}
            case primary_metric when 'usage' then usage_{{ part }} else revenue_{{ part }} end as {{ part }}{{ ',' if not loop.last }}
        {% endfor %}
    from stated
) as stated
