{# What is known of each variant, and in words. Nothing that compares it with the control is shown before the last day
   is over, but what has stopped it. #}
{% set shown = ['usage', 'revenue', 'churn'] %}
{% set told = ['effect', 'low_80', 'high_80', 'low_95', 'high_95'] %}
with

states as (select * from {{ ref('int_price_experiment_states') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

kinds as (

    select
        *,
        'price_experiment_' || case
            when state = 'refused' then 'refused'
            when is_control then 'control'
            when state = 'ended' and assigned_n = 0 then 'unassigned'
            when state = 'ended' then verdict
            else state
        end as kind,
        'price_experiment_power_' || case
            when detectable_effect is null then 'unknown'
            when days_needed is null then 'never'
            else 'known'
        end as power_kind,
        {{ days_from('starts_on', 'ends_on') }} + 1 as days,
        greatest({{ days_from('as_of', 'ends_on') }}, 0) as days_left
    from states

),

in_words as (

    select
        kinds.*,
        templates.body as template,
        {{ fill_from_json('powers.body', as_json_text({
            'assigned': as_text('kinds.assigned_n'),
            'control_n': as_text('kinds.control_n'),
            'days': as_text('kinds.days'),
            'days_needed': as_text('kinds.days_needed + cast(kinds.settle_days as integer)'),
            'detectable': percent_text('kinds.detectable_effect'),
            'metric': 'kinds.primary_metric',
            'wanted': percent_text('kinds.wanted_effect'),
        })) }} as power_said
    from kinds
    inner join templates on kinds.kind = templates.kind
    inner join templates as powers on kinds.power_kind = powers.kind

)

select
    account_id,
    experiment_id,
    variant,
    is_control,
    price_book,
    plan,
    meter as meter_event_name,
    segment,
    starts_on,
    ends_on,
    cast(case when state = 'running' then days_left end as integer) as days_left,
    state,
    refusal,
    considered_n,
    excluded_n,
    assigned_n,
    primary_metric,
    cast(wanted_effect as decimal(18, 6)) as wanted_effect,
    history_n,
    cast(detectable_effect as decimal(18, 6)) as detectable_effect,
    cast(days_needed + settle_days as integer) as days_needed,
    {% for share in ['left_share', 'control_left_share', 'shocked_share', 'control_shocked_share'] -%}
        cast(case when state in ('ended', 'stopped_by_guardrail') then {{ share }} end as decimal(18, 6))
            as {{ share }},
    {% endfor -%}
    {% for metric in shown -%}
        case when state = 'ended' then {{ metric }}_n end as {{ metric }}_n,
        {% for part in told -%}
            cast(case when state = 'ended' then {{ metric }}_{{ part }} end as decimal(18, 6))
                as {{ metric }}_{{ part }},
        {% endfor -%}
    {% endfor -%}
    verdict,
    {{ fill_from_json('template', as_json_text({
        'assigned': as_text('assigned_n'),
        'control_n': as_text('control_n'),
        'days_left': as_text('days_left'),
        'effect': percent_text('effect'),
        'ends_on': date_text('ends_on'),
        'high': percent_text('high_95'),
        'low': percent_text('low_95'),
        'left': percent_text('left_share'),
        'control_left': percent_text('control_left_share'),
        'metric': 'primary_metric',
        'power': 'power_said',
        'refusal': 'refusal',
        'shocked': percent_text('shocked_share'),
        'control_shocked': percent_text('control_shocked_share'),
        'starts_on': date_text('starts_on'),
        'wanted': percent_text('wanted_effect'),
    })) }} as said,
    as_of
from in_words
