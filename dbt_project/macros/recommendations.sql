{# The months over which a kind's value is counted: the column of action_kinds, or the var value_months for all kinds, so
   that what was said can be measured over as many months as there are. #}
{% macro value_months(column) -%}
    {%- if var('value_months') is none -%} {{ column }} {%- else -%} cast({{ var('value_months') }} as integer) {%- endif -%}
{%- endmacro %}

{# The id of a row's recommendation: over what would be done to whom in which period, as canonical JSON. #}
{% macro recommendation_id() -%}
    'h1:' || {{ digest_of(as_json_text({
        'account_id': 'account_id',
        'customer_id': 'customer_id',
        'kind': 'kind',
        'livemode': 'livemode',
        'period': 'period',
        'subject_id': 'subject_id',
        'target_key': 'target_key',
    })) }}
{%- endmacro %}

{# What a customer gets one of at once: each group, and of notices each kind. Null where nothing conflicts. #}
{% macro conflict_key(kind, conflict_group) -%}
    case {{ conflict_group }}
        when 'none' then null
        when 'notice' then 'notice ' || {{ kind }}
        else {{ conflict_group }}
    end
{%- endmacro %}

{# Most recommendations of an account at once. #}
{% macro most_at_once() -%}
    4000
{%- endmacro %}

{# A whole number times itself, exactly: up to 18 digits. #}
{% macro squared(measure) -%}
    cast({{ measure }} as decimal(18, 0)) * cast({{ measure }} as decimal(18, 0))
{%- endmacro %}

{# How far a recommendation's value reaches `below` or `above` what is expected because of `part`, the assumed effect or
   usage; where the evidence does not tell them apart (low_effect_minor is null), all of its band. #}
{% macro reach_of_value(side, part) -%}
    {%- set end, bound = ('least', 'low') if side == 'below' else ('greatest', 'high') -%}
    abs(recommendations.expected_value_minor - coalesce(
        {{ end }}(
            recommendations.expected_value_minor,
            recommendations.low_{{ part }}_minor,
            recommendations.high_{{ part }}_minor
        ) + 0 * recommendations.low_effect_minor,
        recommendations.expected_value_{{ bound }}_minor
    ))
{%- endmacro %}
