{# What staging takes out of the lists of an unpacked payload: their entries are structs. #}

{# The sum of `amount` over the entries; 0 for an empty or absent list. only, without: {field: text}, entries that count
   alone, and entries that do not count. #}
{% macro sum_of(entries, only={}, without={}) -%}
    {{ adapter.dispatch('sum_of', 'meterwise')(entries, only, without) }}
{%- endmacro %}

{% macro default__sum_of(entries, only, without) -%}
    {%- set conditions = [] -%}
    {%- for field, text in only.items() -%}
        {%- do conditions.append("entry." ~ field ~ " = '" ~ text ~ "'") -%}
    {%- endfor -%}
    {%- for field, text in without.items() -%}
        {%- do conditions.append("entry." ~ field ~ " != '" ~ text ~ "'") -%}
    {%- endfor -%}
    {%- set chosen = entries -%}
    {%- if conditions -%}
        {%- set chosen = 'list_filter(' ~ entries ~ ', lambda entry: ' ~ conditions | join(' and ') ~ ')' -%}
    {%- endif -%}
    cast(coalesce(list_sum(list_transform({{ chosen }}, lambda entry: entry.amount)), 0) as bigint)
{%- endmacro %}

{# A field of the first entry; null for an empty or absent list. #}
{% macro of_first(entries, field) -%}
    {{ adapter.dispatch('of_first', 'meterwise')(entries, field) }}
{%- endmacro %}

{% macro default__of_first(entries, field) -%}
    {{ entries }}[1].{{ field }}
{%- endmacro %}

{# The first entry; null for an empty or absent list. #}
{% macro first_of(entries) -%}
    {{ adapter.dispatch('first_of', 'meterwise')(entries) }}
{%- endmacro %}

{% macro default__first_of(entries) -%}
    {{ entries }}[1]
{%- endmacro %}

{# A field of each entry, as a list. #}
{% macro of_each(entries, field) -%}
    {{ adapter.dispatch('of_each', 'meterwise')(entries, field) }}
{%- endmacro %}

{% macro default__of_each(entries, field) -%}
    list_transform({{ entries }}, lambda entry: entry.{{ field }})
{%- endmacro %}

{# Stripe's list of expanded discounts as ids and UTC times; what was not expanded has ids and times of null. #}
{% macro discounts_of(discounts) -%}
    {{ adapter.dispatch('discounts_of', 'meterwise')(discounts) }}
{%- endmacro %}

{% macro default__discounts_of(discounts) -%}
    list_transform({{ discounts }}, lambda discount: {
        'discount_id': discount.id,
        'coupon_id': {{ id_of('discount.source.coupon') }},
        'starts_at': {{ from_epoch('discount.start') }},
        'ends_at': {{ from_epoch('discount."end"') }}
    })
{%- endmacro %}

{# The phases of a subscription schedule, in order, with UTC times, prices and quantities. #}
{% macro phases_of(phases) -%}
    {{ adapter.dispatch('phases_of', 'meterwise')(phases) }}
{%- endmacro %}

{% macro default__phases_of(phases) -%}
    list_transform({{ phases }}, lambda phase: {
        'starts_at': {{ from_epoch('phase.start_date') }},
        'ends_at': {{ from_epoch('phase.end_date') }},
        'proration_behavior': phase.proration_behavior,
        'items': list_transform(phase.items, lambda item: {
            'price_id': {{ id_of('item.price') }},
            'quantity': item.quantity
        })
    })
{%- endmacro %}

{# When the last of them is over; null for an absent list. #}
{% macro end_of_phases(phases) -%}
    {{ adapter.dispatch('end_of_phases', 'meterwise')(phases) }}
{%- endmacro %}

{% macro default__end_of_phases(phases) -%}
    list_max(list_transform({{ phases }}, lambda phase: phase.ends_at))
{%- endmacro %}
