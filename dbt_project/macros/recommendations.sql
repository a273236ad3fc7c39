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
