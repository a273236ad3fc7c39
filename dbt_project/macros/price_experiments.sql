{# What is wrong with a row of price_experiment_designs, the first of all that is; null for a row that can be understood. #}
{% macro price_experiment_problem(numbers) -%}
    case
        when not ({{ is_like('experiment_id', '[A-Za-z0-9_]{1,40}') }} and {{ is_like('variant', '[A-Za-z0-9_]{1,40}') }})
            then 'a name is missing, or is more than 40 letters, digits and _'
        when namesakes_n > 1 then 'two rows have this name'
        when starts_on is null or ends_on is null then 'starts_on or ends_on is no date'
        when ends_on <= starts_on then 'it ends before it starts'
        when {{ numbers | join(' is null or ') }} is null then 'a number is missing, or is none'
        when share <= 0 or share > 1 or most_share <= 0 or most_share > 1 then 'a share is not between 0 and 1'
        when shares > 1 then 'the shares add up to more than 1'
        when shares < 0.999 then 'the shares add up to less than 1'
        when wanted_effect <= 0 then 'wanted_effect is not above 0'
        when settle_days < 0 or pre_days < 28 or {{ days_from('starts_on', 'ends_on') }} - settle_days < 27
            then 'fewer than 28 days are measured, before or after'
        when coalesce(primary_metric, '') not in ('revenue', 'usage') then 'primary_metric is neither revenue nor usage'
        when coalesce(is_released, '') not in ('true', 'false') then 'is_released is neither true nor false'
        when controls_n = 0 then 'there is no control, a row without a price book'
        when controls_n > 1 then 'there is more than one control'
        when variants_n = 1 then 'there is no variant beside the control'
        when not is_agreed then 'its rows do not agree on prices, dates or limits'
        when not is_sold then 'no active price is of that plan and meter'
        when price_book is not null and not is_book_known then 'there is no price book ' || price_book
        when book_refusal is not null then 'its price book is refused: ' || book_refusal
    end
{%- endmacro %}

{# Student's t from the normal quantile z: the first four terms of Fisher's expansion (Fisher and Cornish 1960), right to
   0.001 from 8 degrees of freedom on. Both are doubles. #}
{% macro student_quantile(z, df) -%}
    {%- set z2 = z * z -%}
    {%- set terms = [
        z * (z2 + 1) / 4,
        z * ((5 * z2 + 16) * z2 + 3) / 96,
        z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    ] -%}
    ({{ z }}
    {%- for term in terms %} + {{ share_of(term, 'power(' ~ df ~ ', ' ~ loop.index ~ ')', 'double') }}{% endfor %})
{%- endmacro %}

{# The normal quantiles of two-sided bands of 80 % and 95 %, and of a power of 80 %. #}
{% macro z_of(level) -%}
    {{ return({'80': 1.2815515655446004, '95': 1.959963984540054, 'power': 0.8416212335729143}[level]) }}
{%- endmacro %}

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
    {{ treated }}.share - {{ controls }}.share {{ side }} sqrt(
        power({{ treated }}.share - {{ treated }}.{{ towards }}, 2) + power({{ controls }}.share - {{ controls }}.{{ away }}, 2)
    )
{%- endmacro %}

{# A select: of each of `hits` (metric to condition on a row of `measures`) the share of each variant less that of the
   control, in the columns of int_price_experiment_effects. #}
{% macro share_effects(measures, hits) %}
    {%- set of_arm = 'account_id, experiment_id, variant, is_control' %}
    with

    counts as (

        {% for metric, hit in hits.items() %}
        select
            {{ of_arm }},
            '{{ metric }}' as metric,
            count(*) as n,
            count(case when {{ hit }} then 1 end) as hits
        from {{ measures }}
        group by {{ of_arm }}
        {{ 'union all' if not loop.last }}
        {% endfor %}

    ),

    shares as (

        select
            *,
            {{ share_of('hits', 'n', 'double') }} as share,
            {% for level in ['80', '95'] -%}
                {{ wilson_bound('hits', 'n', '-', z_of(level)) }} as low_{{ level }},
                {{ wilson_bound('hits', 'n', '+', z_of(level)) }} as high_{{ level }}{{ ',' if not loop.last }}
            {% endfor %}
        from counts

    )

    select
        treated.account_id,
        treated.experiment_id,
        treated.variant,
        treated.metric,
        treated.n as variant_n,
        controls.n as control_n,
        treated.share - controls.share as effect,
        {% for level in ['80', '95'] -%}
            {{ newcombe_bound('treated', 'controls', level, '-') }} as low_{{ level }},
            {{ newcombe_bound('treated', 'controls', level, '+') }} as high_{{ level }},
        {% endfor -%}
        treated.share as variant_share,
        controls.share as control_share
    from shares as treated
    inner join shares as controls on {{ same_keys('treated', 'controls', ['account_id', 'experiment_id', 'metric']) }}
    where not treated.is_control and controls.is_control

{% endmacro %}

{# Whole weeks in a number of days. #}
{% macro whole_weeks(days) -%}
    cast(floor({{ share_of(days, '7', 'double') }}) as integer)
{%- endmacro %}

{# How many times the noise of one customer the effect is that a test at 5 % finds in 8 of 10 cases. #}
{% macro detectable_in_noise(variant_n, control_n) -%}
    {%- set df = 'cast(' ~ variant_n ~ ' + ' ~ control_n ~ ' - 3 as ' ~ double_type() ~ ')' -%}
    ({{ student_quantile(z_of('95'), df) }} + {{ student_quantile(z_of('power'), df) }})
    * sqrt({{ share_of('1', variant_n, 'double') }} + {{ share_of('1', control_n, 'double') }})
{%- endmacro %}

{# A ratio in per cent with one decimal, "-4.2 %", or "unknown": a figure of statistics, never money. #}
{% macro percent_text(ratio) -%}
    coalesce({{ figure_to_text('100 * cast(' ~ ratio ~ ' as ' ~ double_type() ~ ')', 1) }} || ' %', 'unknown')
{%- endmacro %}
