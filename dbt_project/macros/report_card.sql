{# What the report card shares between its subjects. #}

{# The type in which quantities and minor units are compared: sums of it are exact, whatever the order. #}
{% macro scored_type() -%}
    decimal(24, 6)
{%- endmacro %}

{# Which part of the future, or of the period, a forecast spoke about: 'week:01', 'elapsed:025', … #}
{% macro bucket_text(kind, number, digits=2) -%}
    '{{ kind }}:' || lpad({{ as_text(number) }}, {{ digits }}, '0')
{%- endmacro %}

{# The nearest quarter of a period that was over when the forecast was made: 'elapsed:025' from an eighth to three
   eighths of it. #}
{% macro elapsed_bucket(days_elapsed, days_in_period) -%}
    {{ bucket_text(
        'elapsed',
        '25 * ' ~ divide_half_up('4 * least(' ~ days_elapsed ~ ', ' ~ days_in_period ~ ')', days_in_period),
        digits=3
    ) }}
{%- endmacro %}

{# The columns of what was said and came: every int_…_scored model selects these. A column of a
   segment is null where the row belongs to none. #}
{% macro scored_columns() -%}
    account_id, said, subject, unit, plan, demand_class, currency, meter, bucket,
    actual, expected, median, q025, q10, q90, q975, baseline
{%- endmacro %}

{# A mean over units, each by its rows: seconds and gigabytes, dollars and yen are never added up. Units without a ratio
   are left out. #}
{% macro mean_over_units(ratio, weight) -%}
    {{ share_of(
        'sum(' ~ ratio ~ ' * ' ~ weight ~ ')', 'sum(case when ' ~ ratio ~ ' is not null then ' ~ weight ~ ' end)'
    ) }}
{%- endmacro %}

{# Two CTEs, the second called `segmented`: each row of `relation` once for each segment that it belongs to and has a
   name for, in its bucket and in all of them. #}
{% macro segmented_ctes(relation) -%}
numbered as (

    select
        *,
        {{ numbers_between(1, 10) }} as place
    from {{ relation }}

),

named as (

    select
        *,
        case
            when place <= 2 then 'all' when place <= 4 then 'plan' when place <= 6 then 'demand_class'
            when place <= 8 then 'currency' else 'meter'
        end as segment_kind,
        case
            when place <= 2 then 'all' when place <= 4 then plan when place <= 6 then demand_class
            when place <= 8 then currency else meter
        end as segment,
        case when place in (1, 3, 5, 7, 9) then 'all' else bucket end as part
    from numbered

),

segmented as (select * from named where segment is not null)
{%- endmacro %}

{# A share for people as a number of per cent with one decimal, a dash when it is not known: 0.163 is "16.3". #}
{% macro per_cent_text(share) -%}
    coalesce({{ figure_to_text('100 * ' ~ share, 1) }}, '–')
{%- endmacro %}
