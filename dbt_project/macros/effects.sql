{# What effects of actions are told with. #}

{# Fewest that have to be held back, and measured, for a comparison with them; with fewer, matched customers are looked at. #}
{% macro least_compared() -%} 5 {%- endmacro %}

{# What is believed of a kind's precision before anybody judged it, as if so many of so many had been right. #}
{% macro prior_judged() -%} 10 {%- endmacro %}
{% macro prior_right() -%} 9 {%- endmacro %}
{% macro prior_precision() -%} cast(0.9 as {{ double_type() }}) {%- endmacro %}

{# How far the interval of a level ('80' or '95') reaches from the difference of two arms, down ('-') or up ('+'): of
   shares by Newcombe (1998, number 10), of means by Welch; null with fewer than two on a side, or where nothing varies. #}
{% macro reach_of_difference(side, level) -%}
    {%- set other_side = '+' if side == '-' else '-' -%}
    case
        when least(n, comparison_n) < 2 then null
        when is_share then {{ newcombe_reach(
            'mean', wilson_bound('hits', 'n', side, level),
            'comparison_mean', wilson_bound('comparison_hits', 'comparison_n', other_side, level)
        ) }}
        when own_part + other_part > 0.000000000001
            then ({{ student_quantile(level, 'df') }}) * sqrt(own_part + other_part)
    end
{%- endmacro %}
