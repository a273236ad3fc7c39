{# A unit price for people, with all the decimals that it has: 0.24 cents is "USD 0.0024". Digits are moved, nothing is
   divided. `exponent` is the currency's number of decimals, from the seed currencies. #}
{% macro unit_price_to_text(unit_amount_decimal, currency, exponent) %}
  {{- adapter.dispatch('unit_price_to_text', 'meterwise')(unit_amount_decimal, currency, exponent) -}}
{% endmacro %}

{% macro default__unit_price_to_text(unit_amount_decimal, currency, exponent) %}
  (
    upper({{ currency }}) || ' ' || regexp_replace(
      regexp_replace(
        cast(
          {{ unit_amount_decimal }} * cast(case {{ exponent }} when 0 then 1 when 2 then 0.01 when 3 then 0.001 end as decimal(4, 3))
          as varchar
        ),
        case when {{ exponent }} = 0 then '(\.[0-9]*?)0+$' else '(\.[0-9][0-9][0-9]*?)0+$' end, '\1'
      ),
      '\.$', ''
    )
  )
{% endmacro %}

{# The most characters that Stripe prints at the foot of an invoice, less than it takes. #}
{% macro longest_note() -%}
    500
{%- endmacro %}
