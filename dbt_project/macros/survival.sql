{# How long customers stay. #}

{# The chance that a customer is still there after some days, nine decimals, when `probability` is that of leaving within
   `horizon_days`: its monthly hazard 1 - (1 - p)^(30 days of the horizon), carried forward day by day. #}
{% macro survival(probability, horizon_days, days) -%}
    cast(
        power(
            1 - cast(least(greatest({{ probability }}, 0), 1) as {{ double_type() }}),
            {{ share_of(days, horizon_days, data_type='double') }}
        )
        as decimal(12, 9)
    )
{%- endmacro %}

{# A month of 30 days as a share of the risk model's horizon. #}
{% macro month_of_horizon() -%}
    {{ share_of('30', churn_horizon_days() | trim, 'double') }}
{%- endmacro %}

{# The probability of leaving within 30 days, of one within the horizon of the risk model. #}
{% macro leaves_in_a_month(probability) -%}
    1 - {{ survival(probability, churn_horizon_days() | trim, '30') }}
{%- endmacro %}

{# Months that somebody is expected to begin, of `months` at most, who leaves in each with the same probability:
   1 + s + s^2 + … = (1 - s^months) / (1 - s) for s = 1 - leaves (the geometric lifetime of Gupta and Lehmann 2003, cut).
   A double. #}
{% macro months_stayed(leaves, months) -%}
    case
        when {{ leaves }} < 0.000000001 then cast({{ months }} as {{ double_type() }})
        else {{ share_of(
            '1 - power(1 - cast(' ~ leaves ~ ' as ' ~ double_type() ~ '), ' ~ months ~ ')', leaves, 'double'
        ) }}
    end
{%- endmacro %}

{# The same of somebody whose bill has changed, which is felt for three months: as often as `leaves_at_first` in each of
   those, as `leaves_later` in each after them. #}
{% macro months_stayed_after_a_change(leaves_at_first, leaves_later, months) -%}
    {{ months_stayed(leaves_at_first, 'least(' ~ months ~ ', 3)') }}
    + power(1 - {{ leaves_at_first }}, 3) * {{ months_stayed(leaves_later, 'greatest(' ~ months ~ ' - 3, 0)') }}
{%- endmacro %}
