{# Values as people read them. #}

{# Text that came from outside, for use in a message: no control, zero-width or bidi characters, no letters that are blank
   to the eye, no markup, nothing at its start that a spreadsheet takes for a formula, every space a plain one, 200
   characters. #}
{% macro safe_text(expression) %}
  {{- adapter.dispatch('safe_text', 'meterwise')(expression) -}}
{% endmacro %}

{% macro default__safe_text(expression) %}
  left(trim(regexp_replace(regexp_replace(
    nfc_normalize({{ expression }}),
    '[\s\p{Cc}\p{Cf}\p{Co}\p{Z}\x{115F}\x{1160}\x{2800}\x{3164}\x{FFA0}<>\[\]{}`]+', ' ', 'g'
  ), '^[\s=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}\x{2212}]+', '')), 200)
{% endmacro %}


{# Somebody's name for a message: `otherwise` (an id) where there is none, or nothing harmless in it. #}
{% macro safe_name(expression, otherwise) -%}
  coalesce(nullif({{ safe_text(expression) }}, ''), {{ otherwise }})
{%- endmacro %}


{# Minor units to text for people, "USD 1,234.50" or "JPY 1,235": digits are moved, nothing is divided.
   `exponent` is the currency's number of decimals, from the seed currencies. #}
{% macro money_to_text(amount_minor, currency, exponent) %}
  {{- adapter.dispatch('money_to_text', 'meterwise')(amount_minor, currency, exponent) -}}
{% endmacro %}

{% macro default__money_to_text(amount_minor, currency, exponent) %}
  {%- set digits -%}
    lpad(
      cast(abs({{ amount_minor }}) as varchar),
      cast(greatest({{ exponent }} + 1, length(cast(abs({{ amount_minor }}) as varchar))) as integer),
      '0'
    )
  {%- endset %}
  (
    upper({{ currency }}) || ' ' || case when {{ amount_minor }} < 0 then '-' else '' end
    || format('{:,}', cast(left({{ digits }}, length({{ digits }}) - {{ exponent }}) as bigint))
    || case when {{ exponent }} > 0 then '.' || right({{ digits }}, {{ exponent }}) else '' end
  )
{% endmacro %}


{# A quantity for people: thousands separated, no decimals, "128,411". #}
{% macro quantity_to_text(quantity) %}
  {{- adapter.dispatch('quantity_to_text', 'meterwise')(quantity) -}}
{% endmacro %}

{% macro default__quantity_to_text(quantity) %}
  format('{:,}', cast(round({{ quantity }}) as bigint))
{% endmacro %}


{# A ratio for people, in whole per cent: 0.795 is "79 %", cut and not rounded so that a text never claims a threshold that was missed. #}
{% macro share_to_text(share) %}
  {{- adapter.dispatch('share_to_text', 'meterwise')(share) -}}
{% endmacro %}

{% macro default__share_to_text(share) %}
  (format('{:,}', cast(floor({{ share }} * 100) as bigint)) || ' %')
{% endmacro %}


{# One day, or the first and the last of several: "2026-10-28", "2026-10-28 – 2026-10-30". #}
{% macro days_to_text(first_day, last_day) %}
  {{- adapter.dispatch('days_to_text', 'meterwise')(first_day, last_day) -}}
{% endmacro %}

{% macro default__days_to_text(first_day, last_day) %}
  (
    strftime({{ first_day }}, '%Y-%m-%d')
    || case when {{ first_day }} < {{ last_day }} then ' – ' || strftime({{ last_day }}, '%Y-%m-%d') else '' end
  )
{% endmacro %}
