{# Paths: joint draws of what usage may become, rated one by one. Path 0 is no draw but the run-rate, path -1 what is used so far. #}

{# The columns of a band, in the order of their size. #}
{% macro band_columns() -%}
    {{ return(['q025', 'q10', 'median', 'q90', 'q975']) }}
{%- endmacro %}

{# In a select list, of the groups of a relation of paths: mean_NAME, the band's q025_NAME … q975_NAME, run_rate_NAME and
   so_far_NAME. All but these two are null where one path has no value. Means are rounded once: money half up, others as
   their type has it. #}
{% macro path_columns(measure, name, data_type) -%}
    {%- set drawn = 'case when path > 0 then ' ~ measure ~ ' end' -%}
    {%- set are_known = 'count(' ~ drawn ~ ') = sum(case when path > 0 then 1 else 0 end)' -%}
    case
        when {{ are_known }} then
            {% if data_type == 'bigint' -%}
                {{ divide_half_up('sum(' ~ drawn ~ ')', 'count(' ~ drawn ~ ')') }}
            {%- else -%}
                {{ share_of('sum(' ~ drawn ~ ')', 'count(' ~ drawn ~ ')', data_type) }}
            {%- endif %}
    end as mean_{{ name }},
    {% for share in ['0.025', '0.1', '0.5', '0.9', '0.975'] -%}
        case when {{ are_known }} then {{ quantile_of(drawn, share) }} end
            as {{ band_columns()[loop.index0] }}_{{ name }},
    {% endfor -%}
    cast(max(case when path = 0 then {{ measure }} end) as {{ data_type }}) as run_rate_{{ name }},
    cast(max(case when path = -1 then {{ measure }} end) as {{ data_type }}) as so_far_{{ name }}
{%- endmacro %}

{# One bound of a band: the median less (`side` -1) or plus (1) its raw distance times the learned factor. Money, given as
   bigint, is rounded once. No bound is below `floor`. #}
{% macro scaled_bound(side, bound, median, factor, data_type, floor) -%}
    {%- set distance = 'cast(abs(' ~ bound ~ ' - ' ~ median ~ ') as decimal(24, 6)) * coalesce(' ~ factor ~ ', 1)' -%}
    case when {{ median }} is not null then greatest({{ cast_or_null(
        median ~ (' - ' if side < 0 else ' + ') ~ 'round(' ~ distance ~ ', ' ~ ('0' if data_type == 'bigint' else '6') ~ ')',
        data_type
    ) }}, {{ floor }}) end
{%- endmacro %}

{# Which quarter of its days a period is in after so many of them: 1 to 4, and 5 where only some hours are left. #}
{% macro elapsed_quarter(days_elapsed, days_in_period) -%}
    case
        when 4 * {{ days_elapsed }} < {{ days_in_period }} then 1
        when 4 * {{ days_elapsed }} < 2 * {{ days_in_period }} then 2
        when 4 * {{ days_elapsed }} < 3 * {{ days_in_period }} then 3
        when {{ days_elapsed }} < {{ days_in_period }} then 4
        else 5
    end
{%- endmacro %}

{# In a select list: how far what came lay beyond the median, in distances from the median to each raw bound (1: on the
   bound; below 0: on the other side of the median); null where the bound is the median. #}
{% macro miss_columns(name) -%}
    {%- for bound in ['q025', 'q10', 'q90', 'q975'] -%}
        {{ share_of(
            'actual_' ~ name ~ ' - median_' ~ name, bound ~ '_' ~ name ~ ' - median_' ~ name
        ) }} as {{ bound }}_miss{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# In a select list: the band's bounds scaled by `factors` (an alias of int_band_factors), the 95 % band never inside the
   80 % one, and none below what is used so far, where all paths begin there. `relation` has the raw ones. #}
{% macro scaled_band(relation, factors, name, data_type) -%}
    {%- set median = relation ~ '.median_' ~ name -%}
    {%- set so_far = relation ~ '.so_far_' ~ name -%}
    {%- set floor = 'case when ' ~ so_far ~ ' <= ' ~ relation ~ '.q025_' ~ name ~ ' then ' ~ so_far ~ ' else 0 end' -%}
    {%- set bounds = {} -%}
    {%- for bound, side in {'q025': -1, 'q10': -1, 'q90': 1, 'q975': 1}.items() -%}
        {%- do bounds.update({bound: scaled_bound(
            side, relation ~ '.' ~ bound ~ '_' ~ name, median, factors ~ '.' ~ bound ~ '_factor', data_type, floor
        )}) -%}
    {%- endfor -%}
    least({{ bounds.q025 }}, {{ bounds.q10 }}) as q025_{{ name }},
    {{ bounds.q10 }} as q10_{{ name }},
    {{ median }} as median_{{ name }},
    {{ bounds.q90 }} as q90_{{ name }},
    greatest({{ bounds.q975 }}, {{ bounds.q90 }}) as q975_{{ name }}
{%- endmacro %}

{# In a select list, of a group of misses: the factor of each bound, by as many of them as its side of the band is to
   hold (80 % band: 90 of 100 on each side); null with fewer than 50 misses. #}
{% macro learned_factors() -%}
    {%- for bound, share in {'q025': '0.975', 'q10': '0.9', 'q90': '0.9', 'q975': '0.975'}.items() -%}
        case when count({{ bound }}_miss) >= 50 then {{ quantile_of(bound ~ '_miss', share) }} end
            as {{ bound }}_factor{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# In a select list: the factors of the narrowest of some relations of them that has any, else 1; none is below zero. #}
{% macro chosen_factors(relations) -%}
    {%- for bound in ['q025', 'q10', 'q90', 'q975'] -%}
        greatest(coalesce(
            {%- for relation in relations %}{{ relation }}.{{ bound }}_factor, {% endfor %}1), 0) as {{ bound }}_factor
            {{- ',\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# The mean over drawn paths of an amount, rounded once. #}
{% macro mean_over_paths(amount) -%}
    {%- set drawn = 'case when path > 0 then ' ~ amount ~ ' end' -%}
    {{ divide_half_up('sum(' ~ drawn ~ ')', 'count(' ~ drawn ~ ')') }}
{%- endmacro %}
