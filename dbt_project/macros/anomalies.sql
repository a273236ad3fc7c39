{# What is made of days that `python -m ml detect` found unusual. Fixed, not fitted; days are whole days.
   still_open_days: an incident goes on while its last unusual day is no older. lag_days: usage of so few days may still
       come in, so that too little of it is no news. reach_days: a change of price or seats so long before an incident, or
       while it lasts, explains it. new_days: a meter in use for less is new.
   company_share: from this share of a meter's items on, all of them moved. flat, rhythmic: at most so much of a mean
       weekday is used at a weekend where there is a rhythm; at least so much where there is none. related: what other
       meters of the customer have at least grown to when they grow as well. lasting_days: of a loop or of adoption. #}
{% macro anomaly_rules() -%}
    {{ return({
        'still_open_days': 2, 'lag_days': 1, 'reach_days': 7, 'new_days': 42, 'company_share': 0.2,
        'rhythmic': 0.7, 'flat': 0.85, 'related': 1.25, 'lasting_days': 4, 'short_days': 3,
    }) }}
{%- endmacro %}

{# A figure of an incident's days as a decimal, so that its sum does not depend on the order of rows. #}
{% macro exact(measure) -%}
    cast(round(case when {{ measure }} > 999999999999 then 999999999999 else {{ measure }} end, 6) as decimal(18, 6))
{%- endmacro %}

{# The sum of quantities as a decimal(18, 6), cut where it would not fit: an absurd value is counted (data_quality), not fatal. #}
{% macro sum_within(measure) -%}
    cast(least(greatest(sum({{ measure }}), -999999999999), 999999999999) as decimal(18, 6))
{%- endmacro %}
