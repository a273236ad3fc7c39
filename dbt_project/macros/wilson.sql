{# A bound of Wilson's interval of a share: `hits` of `trials` (columns), `side` '-' for the lower and '+' for the upper
   one, z 1.2815515655446004 for 80 % and 1.959963984540054 for 95 %. A double from 0 to 1; null without trials. #}
{% macro wilson_bound(hits, trials, side, z=1.2815515655446004) -%}
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
