{# A select: the rows of `relation` in the columns that all leaks share; those that `columns` (name to SQL) lacks are null.
   kind, subject_id and amount_basis are never left out. #}
{% macro leaks_of(relation, columns) -%}
    {%- set shared = {
        'kind': text_type(), 'subject_id': text_type(), 'customer_id': text_type(), 'subscription_id': text_type(),
        'subscription_item_id': text_type(), 'meter_id': text_type(), 'price_id': text_type(), 'coupon_id': text_type(),
        'invoice_id': text_type(), 'since_day': 'date', 'quantity': 'decimal(18, 6)', 'amount_basis': text_type(),
        'amount_minor': 'bigint', 'currency': text_type(),
    } -%}
    select
        account_id,
        {% for column, data_type in shared.items() -%}
            cast({{ columns.get(column, 'null') }} as {{ data_type }}) as {{ column }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ relation }}
{%- endmacro %}
