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
        when controls_n = 0 then 'there is no control, a row without a price book'
        when controls_n > 1 then 'there is more than one control'
        when variants_n = 1 then 'there is no variant beside the control'
        when shares > 1 then 'the shares add up to more than 1'
        when shares < 0.999 then 'the shares add up to less than 1'
        when wanted_effect <= 0 then 'wanted_effect is not above 0'
        when settle_days < 0 or pre_days < 28 or {{ days_from('starts_on', 'ends_on') }} - settle_days < 27
            then 'fewer than 28 days are measured, before or after'
        when coalesce(primary_metric, '') not in ('revenue', 'usage') then 'primary_metric is neither revenue nor usage'
        when coalesce(is_released, '') not in ('true', 'false') then 'is_released is neither true nor false'
        when not is_agreed then 'its rows do not agree on prices, dates or limits'
        when fixed != fixed_then then 'it has begun, and is not what it was then any more: ' || fixed_then
        -- what an experiment has told stays, whatever becomes of its prices and books
        when as_of >= ends_on then null
        when not is_sold then 'no active price is of that plan and meter'
        when price_book is not null and not is_book_known then 'there is no price book ' || price_book
        when book_refusal is not null then 'its price book is refused: ' || book_refusal
    end
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
                {{ wilson_bound('hits', 'n', '-', level) }} as low_{{ level }},
                {{ wilson_bound('hits', 'n', '+', level) }} as high_{{ level }}{{ ',' if not loop.last }}
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

{# Columns of a relation as one text, to tell whether rows agree in all of them. #}
{% macro texts_in_one(relation, columns) -%}
    {%- for column in columns -%}
        coalesce({{ relation }}.{{ column }}, ''){{ " || '|' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# An aggregate: what amounts change by when a price times 1.1 moves usage by 1.1 ^ elasticity. #}
{% macro change_at_a_tenth_more(amount_minor, elasticity) -%}
    cast(round(sum({{ amount_minor }} * cast(power(1.1, 1 + {{ elasticity }}) - 1 as decimal(12, 9))), 0) as bigint)
{%- endmacro %}
