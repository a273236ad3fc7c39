{# The logarithm of a mean, as a decimal; null where nothing was counted or the mean is not above 0. #}
{% macro log_of_mean(total, n) -%}
    {%- set mean = share_of(total, n, 'double') -%}
    cast(case when {{ mean }} > 0 then ln({{ mean }}) end as decimal(18, 9))
{%- endmacro %}

{# An aggregate over decimals: the sum of products of deviations from the means. #}
{% macro centred(left, right) -%}
    cast(sum({{ left }} * {{ right }}) as {{ double_type() }})
    - cast(sum({{ left }}) as {{ double_type() }}) * {{ share_of('sum(' ~ right ~ ')', 'count(*)', 'double') }}
{%- endmacro %}

{# A bound of the difference of two shares, of relations with share, low_… and high_… by Wilson. #}
{% macro newcombe_bound(treated, controls, level, side) -%}
    {%- set towards, away = ('low_' ~ level, 'high_' ~ level) if side == '-' else ('high_' ~ level, 'low_' ~ level) -%}
    {{ treated }}.share - {{ controls }}.share {{ side }} {{ newcombe_reach(
        treated ~ '.share', treated ~ '.' ~ towards, controls ~ '.share', controls ~ '.' ~ away
    ) }}
{%- endmacro %}

{# How many times the noise of one customer the effect is that a test at 5 % finds in 8 of 10 cases. #}
{% macro detectable_in_noise(variant_n, control_n) -%}
    {%- set df = 'cast(' ~ variant_n ~ ' + ' ~ control_n ~ ' - 3 as ' ~ double_type() ~ ')' -%}
    ({{ student_quantile('95', df) }} + {{ student_quantile('power', df) }})
    * sqrt({{ share_of('1', variant_n, 'double') }} + {{ share_of('1', control_n, 'double') }})
{%- endmacro %}

{# A ratio in per cent with one decimal, "-4.2 %", or "unknown": a figure of statistics, never money. #}
{% macro percent_text(ratio) -%}
    coalesce({{ figure_to_text('100 * cast(' ~ ratio ~ ' as ' ~ double_type() ~ ')', 1) }} || ' %', 'unknown')
{%- endmacro %}

{# An aggregate: the logarithm of the mean of the amounts of those parts for which the condition holds. #}
{% macro log_of_parts(parts, condition) -%}
    {{ log_of_mean(
        'sum(case when ' ~ condition ~ ' then ' ~ parts ~ '.amount end)',
        'count(case when ' ~ condition ~ ' then 1 end)'
    ) }}
{%- endmacro %}

{# An aggregate: the standard deviation of y that a straight line in x leaves; null where x does not vary. #}
{% macro unexplained_spread(x, y) -%}
    {%- set explained = share_of('power(' ~ centred(x, y) ~ ', 2)', centred(x, x), 'double') -%}
    sqrt(greatest({{ share_of(centred(y, y) ~ ' - ' ~ explained, 'count(*) - 2', 'double') }}, 0))
{%- endmacro %}

{# An aggregate over int_price_experiment_effects: an expression on the row of a metric. #}
{% macro value_of_metric(expression, metric) -%}
    max(case when effects.metric = '{{ metric }}' then {{ expression }} end)
{%- endmacro %}

{# The standard error of a difference of means that is adjusted by a slope: `rest` is what is left of the sum of squares,
   x_apart the difference of the covariate's means, xx its sum of squares. #}
{% macro error_of_adjusted(rest, df, variant_n, control_n, x_apart, xx) -%}
    sqrt(
        greatest({{ share_of(rest, df, 'double') }}, 0)
        * (
            {{ share_of('1', variant_n, 'double') }} + {{ share_of('1', control_n, 'double') }}
            + {{ share_of('power(' ~ x_apart ~ ', 2)', xx, 'double') }}
        )
    )
{%- endmacro %}
