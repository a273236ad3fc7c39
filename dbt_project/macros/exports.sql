{# on-run-start: the loader makes these tables with the first export; until then the tie-out reads empty ones. #}
{% macro empty_exports() %}
  create schema if not exists raw_exports;
  create table if not exists raw_exports.invoice_amounts (
    account_id varchar, file_id integer, row_number bigint, kind varchar, line_id varchar, invoice_id varchar,
    invoice_number varchar, currency varchar, amount varchar, units varchar, loaded_at timestamp
  );
  create table if not exists raw_exports.quarantine (
    account_id varchar, file_id integer, path varchar, row_number bigint, reason varchar, raw varchar,
    loaded_at timestamp
  );
  create table if not exists raw_exports.files (
    account_id varchar, file_id integer, path varchar, size_bytes bigint, fingerprint varchar, kind varchar,
    units varchar, row_count bigint, landed bigint, quarantined bigint, loaded_at timestamp
  );
{% endmacro %}

{# A text of major units in minor ones, exactly: null where it has more decimal places than the currency. #}
{% macro minor_of_major(amount, exponent) -%}
    case
        when {{ exponent }} = 0 then {{ whole_or_null('1', amount) }}
        when {{ exponent }} = 2 then {{ whole_or_null('100', amount) }}
        when {{ exponent }} = 3 then {{ whole_or_null('1000', amount) }}
    end
{%- endmacro %}

{% macro whole_or_null(factor, amount) -%}
    case
        when cast({{ amount }} as decimal(38, 6)) * {{ factor }}
            = round(cast({{ amount }} as decimal(38, 6)) * {{ factor }}, 0)
            then cast(round(cast({{ amount }} as decimal(38, 6)) * {{ factor }}, 0) as bigint)
    end
{%- endmacro %}
