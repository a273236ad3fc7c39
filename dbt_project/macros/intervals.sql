{# Quantiles and intervals: the only place that says how sure a figure is. #}

{# The normal quantile of the two-sided bands of 80 % and 95 %, and of a power of 80 %; Student's of one degree of freedom
   and of two. A macro gives text: `| float` makes it a number. #}
{% macro z_of(level) -%}
    {{ {'80': 1.2815515655446004, '95': 1.959963984540054, 'power': 0.8416212335729143}[level] }}
{%- endmacro %}

{% macro student_of_one(level) -%}
    {{ {'80': 3.0776835371752527, '95': 12.706204736432095, 'power': 1.3763819204711735}[level] }}
{%- endmacro %}

{% macro student_of_two(level) -%}
    {{ {'80': 1.8856180831641267, '95': 4.302652729911275, 'power': 1.0606601717798212}[level] }}
{%- endmacro %}

{# Student's t of a level with `df` (an expression of a whole number from 1) degrees of freedom. Cornish and Fisher's
   expansion (Abramowitz and Stegun, 26.7.5): within 0.2 % from 3 degrees on; exact at 1 and 2. #}
{% macro student_quantile(level, df) -%}
    {%- set z = z_of(level) | float -%}
    {%- set terms = [
        z,
        (z ** 3 + z) * 0.25,
        (5 * z ** 5 + 16 * z ** 3 + 3 * z) * 0.010416666666666666,
        (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) * 0.0026041666666666665,
        (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) * 0.000010850694444444445,
    ] -%}
    case
        when {{ df }} = 1 then {{ student_of_one(level) }}
        when {{ df }} = 2 then {{ student_of_two(level) }}
        else
            {% for term in terms -%}
                {{ term }}{% if not loop.first %} * power({{ df }}, -{{ loop.index0 }}){% endif %}
                {{- ' + ' if not loop.last }}
            {% endfor -%}
    end
{%- endmacro %}

{# How far the interval of a difference of two shares reaches (Newcombe 1998, number 10), of each share and the bound by
   Wilson that lies on the side looked at. #}
{% macro newcombe_reach(share, bound, other_share, other_bound) -%}
    sqrt(power({{ share }} - {{ bound }}, 2) + power({{ other_share }} - {{ other_bound }}, 2))
{%- endmacro %}

{# A bound of Wilson's interval of a share: `hits` of `trials` (columns), `side` '-' for the lower and '+' for the upper
   one, of a band of 80 or 95 %. A double from 0 to 1; null without trials. #}
{% macro wilson_bound(hits, trials, side, level='80') -%}
    {%- set z = z_of(level) | float -%}
    {%- set whole = 'cast(' ~ trials ~ ' as ' ~ double_type() ~ ')' -%}
    {%- set part = 'cast(' ~ hits ~ ' as ' ~ double_type() ~ ')' -%}
    {%- set spread = share_of(part ~ ' * (' ~ whole ~ ' - ' ~ part ~ ')', whole, 'double') -%}
    case
        when {{ trials }} > 0
            then least(greatest({{ share_of(
                '(' ~ part ~ ' + ' ~ 0.5 * z * z ~ ' ' ~ side ~ ' ' ~ z ~ ' * sqrt(' ~ spread ~ ' + ' ~ 0.25 * z * z ~ '))',
                '(' ~ whole ~ ' + ' ~ z * z ~ ')',
                'double'
            ) }}, 0), 1)
    end
{%- endmacro %}
