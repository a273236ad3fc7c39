{# What a change of quantity costs at one unit price, in minor units; zero where it would not fit an amount. #}
{% macro change_at(quantity, previous_quantity, unit_amount) -%}
    coalesce({{ rounded_amount(
        'case when ' ~ fits_an_amount('greatest(' ~ quantity ~ ', ' ~ previous_quantity ~ ')', unit_amount)
        ~ ' then cast(' ~ quantity ~ ' - ' ~ previous_quantity ~ ' as decimal(18, 6)) end * ' ~ unit_amount,
        '1'
    ) }}, 0)
{%- endmacro %}

{# A quantity for people to the last of its six decimals, "1,608.7": what a bill is made of is never rounded in a text. #}
{% macro exact_quantity_to_text(quantity) -%}
    {{ adapter.dispatch('exact_quantity_to_text', 'meterwise')(quantity) }}
{%- endmacro %}

{% macro default__exact_quantity_to_text(quantity) -%}
    {%- set digits = 'cast(abs(cast(' ~ quantity ~ ' as decimal(24, 6))) as varchar)' -%}
    (
        case when {{ quantity }} < 0 then '-' else '' end
        || format('{:,}', cast(left({{ digits }}, length({{ digits }}) - 7) as bigint))
        || rtrim(rtrim(right({{ digits }}, 7), '0'), '.')
    )
{%- endmacro %}

{# The same as a number in JSON: decimal text without superfluous zeros. #}
{% macro exact_quantity_in_json(quantity) -%}
    replace({{ exact_quantity_to_text(quantity) }}, ',', '')
{%- endmacro %}

{# Which template words a part of an invoice (a row of invoice_explanation_parts with is_compared). #}
{% macro part_template(parts) -%}
    case
        when {{ parts }}.part not in ('usage', 'licensed')
            then 'invoice_' || case when {{ parts }}.is_compared then 'change_' else 'item_' end || {{ parts }}.part
        when not {{ parts }}.is_compared
            then case
                when {{ parts }}.quantity is null or ({{ parts }}.part = 'licensed' and {{ parts }}.quantity = 1)
                    then 'invoice_item_fee'
                else 'invoice_item_usage'
            end
        when not {{ parts }}.is_before then 'invoice_change_new'
        when not {{ parts }}.is_now then 'invoice_change_gone'
        when {{ parts }}.previous_name is not null then 'invoice_change_product'
        when {{ parts }}.quantity is null or {{ parts }}.previous_quantity is null then 'invoice_change_fee'
        when {{ parts }}.part = 'usage' then 'invoice_change_usage'
        when {{ parts }}.quantity != {{ parts }}.previous_quantity then 'invoice_change_seats'
        -- from nothing, or to nothing, is a trial's end or a gift
        when {{ parts }}.price_effect_minor != 0 and {{ parts }}.amount_minor != 0 and {{ parts }}.previous_amount_minor != 0
            then 'invoice_change_price'
        else 'invoice_change_fee'
    end
{%- endmacro %}

{# Which template says what is due of an invoice (a row of int_invoices_worded's) where that is not its total. #}
{% macro due_template() -%}
    case
        when is_void or amount_due_minor = total_minor then null
        when total_minor < 0 and amount_due_minor = 0 then 'kept'
        when balance_minor = 0 then 'notes'
        when amount_due_minor > total_minor and credit_notes_minor = 0 then 'more'
        when amount_due_minor > total_minor then 'more_notes'
        -- nothing to its credit before: what is too small to be charged waits for the next invoice
        when amount_due_minor = 0 and credit_notes_minor = 0 and starting_balance_minor >= 0 then 'small'
        when credit_notes_minor = 0 then 'balance'
        when balance_minor > 0 then 'notes_less'
        else 'less'
    end
{%- endmacro %}

{# Which template says what follows an invoice. A forecast is of what will be due: that is the total only where the
   customer's balance has no part in it. #}
{% macro next_template() -%}
    case
        when is_void then null
        when status = 'uncollectible' then 'uncollectible'
        when next_invoice_id is not null then 'next_came'
        when not is_regular then null
        when draft_day is not null then 'next_draft'
        when not is_collected then 'next_paused'
        when forecast_status = 'ok'
            then case when is_next_settled then 'next_due' else 'next' end
            || case when low_minor = high_minor then '_fixed' else '' end
        when forecast_status is not null then 'next_unknown'
        when is_latest and subscription_status in ('canceled', 'incomplete_expired') then 'next_none'
    end
{%- endmacro %}

{# A clause or a sentence that may be absent. #}
{% macro or_nothing(text, space='') -%}
    coalesce('{{ space }}' || {{ text }}, '')
{%- endmacro %}

{# The day so many days (a var) before another. #}
{% macro days_before(day, days) -%}
    {{ day }} - cast({{ var(days) }} as integer)
{%- endmacro %}
