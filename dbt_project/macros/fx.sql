{# Rates of exchange: exact fractions of whole numbers, so that an amount is rounded once, half up. #}

{# on-run-start: where anybody may put daily rates; without rows the seed fx_rates stands in (demo values). #}
{% macro empty_fx_rates() %}
  create schema if not exists raw_reference;
  create table if not exists raw_reference.fx_rates (
    date date, from_currency varchar, to_currency varchar, rate varchar
  );
{% endmacro %}

{# The currency that MRR is also given in, written as the warehouse writes currencies. #}
{% macro reporting_currency() -%}
    {{ var('reporting_currency') | lower }}
{%- endmacro %}

{# An amount in minor units of one currency in those of another. `rates` is an alias of int_fx_rates; the exponents are
   those of the seed currencies. Null without a rate. #}
{% macro converted(amount_minor, rates, from_exponent, to_exponent) -%}
    {{ divide_half_up(
        'cast(' ~ amount_minor ~ ' as decimal(38, 0)) * ' ~ rates ~ '.numerator * ' ~ power_of_ten(to_exponent),
        'cast(' ~ rates ~ '.denominator as decimal(38, 0)) * ' ~ power_of_ten(from_exponent)
    ) }}
{%- endmacro %}

{# An aggregate: the sum of amounts, null if any of them is not known. #}
{% macro sum_if_known(amount) -%}
    cast(case when count({{ amount }}) = count(*) then sum({{ amount }}) end as bigint)
{%- endmacro %}
