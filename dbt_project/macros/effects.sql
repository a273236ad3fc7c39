{# What effects of actions are told with. #}

{# Fewest that have to be held back, and measured, for a comparison with them; with fewer, matched customers are looked at. #}
{% macro least_held_back() -%} 5 {%- endmacro %}

{# Quantile of Student's t with `df` (an expression of a whole number from 1) degrees of freedom, where `z` is the normal
   quantile and `first`, `second` those of 1 and 2 degrees. Cornish and Fisher's expansion (Abramowitz and Stegun,
   26.7.5): within 0.2 % from 3 degrees on. #}
{% macro t_quantile(df, z, first, second) -%}
    {%- set terms = [
        z,
        (z ** 3 + z) * 0.25,
        (5 * z ** 5 + 16 * z ** 3 + 3 * z) * 0.010416666666666666,
        (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) * 0.0026041666666666665,
        (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) * 0.000010850694444444445,
    ] -%}
    case
        when {{ df }} = 1 then {{ first }}
        when {{ df }} = 2 then {{ second }}
        else
            {% for term in terms -%}
                {{ term }}{% if not loop.first %} * power({{ df }}, -{{ loop.index0 }}){% endif %}
                {{- ' + ' if not loop.last }}
            {% endfor -%}
    end
{%- endmacro %}

{# What is believed of a kind's precision before anybody judged it, as if so many of so many had been right. #}
{% macro prior_judged() -%} 10 {%- endmacro %}
{% macro prior_right() -%} 9 {%- endmacro %}
{% macro prior_precision() -%} cast(0.9 as {{ double_type() }}) {%- endmacro %}

{# How far the interval of a level ('80' or '95') reaches from the difference of two arms, down ('-') or up ('+'): of
   shares by Newcombe (1998, number 10), of means by Welch; null with fewer than two on a side, or where nothing varies. #}
{% macro reach_of_difference(side, level) -%}
    {# the normal quantile, and Student's of one and of two degrees #}
    {%- set z, first, second = {
        '80': (1.2815515655446004, 3.0776835371752527, 1.8856180831641267),
        '95': (1.959963984540054, 12.706204736432095, 4.302652729911275),
    }[level] -%}
    {%- set other_side = '+' if side == '-' else '-' -%}
    case
        when least(n, comparison_n) < 2 then null
        when is_share then sqrt(
            power(mean - {{ wilson_bound('hits', 'n', side, z) }}, 2)
            + power(comparison_mean - {{ wilson_bound('comparison_hits', 'comparison_n', other_side, z) }}, 2)
        )
        when own_part + other_part > 0.000000000001
            then ({{ t_quantile('df', z, first, second) }}) * sqrt(own_part + other_part)
    end
{%- endmacro %}
