{# In a select list: what a text about a move says, of a relation of int_plan_moves_valued. #}
{% macro move_words(moves, meters, currencies) -%}
    {{ safe_name(meters ~ '.meter_name', moves ~ '.meter_id') }} as meter,
    {{ safe_name(moves ~ '.product_name', moves ~ '.product_id') }} as plan,
    {{ safe_name(moves ~ '.next_product_name', moves ~ '.next_product_id') }} as next_plan,
    coalesce({{ quantity_to_text(moves ~ '.included_units') }}, 'none') as included,
    coalesce({{ quantity_to_text(moves ~ '.next_included_units') }}, 'none') as next_included,
    {{ quantity_to_text(moves ~ '.quantity_so_far') }} as used,
    {{ quantity_to_text(moves ~ '.projected_quantity') }} as projected,
    {{ share_to_text(moves ~ '.cheaper_chance') }} as cheaper_chance_words,
    {% for name, amount in {
        'current_cost': moves ~ '.current_cost_minor', 'next_cost': moves ~ '.next_cost_minor',
        'difference': 'abs(' ~ moves ~ '.difference_minor)',
    }.items() -%}
        {{ money_to_text(amount, moves ~ '.currency', currencies ~ '.minor_unit_exponent') }} as {{ name }}{{ ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The slots of the sentences that compare two plans. #}
{% macro move_slots(moves) -%}
    {%- set slots = {} -%}
    {%- for name in ['current_cost', 'difference', 'next_cost', 'next_included', 'next_plan'] -%}
        {%- do slots.update({name: moves ~ '.' ~ name}) -%}
    {%- endfor -%}
    {{ return(slots) }}
{%- endmacro %}

{# The facts that a move rests on, as canonical JSON; null where one is not known. #}
{% macro move_evidence(moves) -%}
    {#- periods that begin before the day keep their prices: upwards the running one changes, downwards the next -#}
    {%- set begins -%}
        case when {{ moves }}.is_higher then {{ moves }}.period_start else {{ moves }}.period_end end
    {%- endset -%}
    {%- set locked_until -%}
        case
            when cast({{ begins }} as date) < {{ moves }}.locked_until then {{ date_text(moves ~ '.locked_until') }}
        end
    {%- endset -%}
    {%- set facts = {
        'as_of': date_text(moves ~ '.as_of'),
        'locked_until': locked_until,
        'period_end': time_text(moves ~ '.period_end'),
    } -%}
    {%- for name in [
        'basis', 'bill_minor', 'closed_cheaper', 'current_cost_minor', 'days_in_period', 'days_remaining',
        'difference_high_minor', 'difference_low_minor', 'draws', 'draws_cheaper', 'next_cost_minor', 'next_price_id',
        'price_id', 'with_high_effect_minor', 'with_high_usage_minor', 'with_low_effect_minor', 'with_low_usage_minor',
    ] -%}
        {%- do facts.update({name: moves ~ '.' ~ name}) -%}
    {%- endfor -%}
    {%- for name in [
        'base_rate', 'cheaper_chance', 'effect', 'included_units', 'last_quantity', 'last_share', 'near_chance',
        'next_included_units', 'probability', 'projected_quantity', 'projected_quantity_high', 'projected_quantity_low',
        'projected_share', 'quantity_so_far', 'used_share',
    ] -%}
        {%- do facts.update({name: as_text(moves ~ '.' ~ name)}) -%}
    {%- endfor -%}
    {%- set sorted = {} -%}
    {%- for name in facts | sort -%}
        {%- do sorted.update({name: facts[name]}) -%}
    {%- endfor -%}
    {{ as_json_text(sorted) }}
{%- endmacro %}

{# The same of an alert. #}
{% macro alert_evidence(found) -%}
    {{ as_json_text({
        'as_of': date_text(found ~ '.as_of'),
        'chance': as_text(found ~ '.chance'),
        'gte': found ~ '.gte',
        'included_units': as_text(found ~ '.included_units'),
        'last_minor': found ~ '.last_minor',
        'level': found ~ '.level',
        'level_minor': found ~ '.level_minor',
        'level_quantity': as_text(found ~ '.counted_quantity'),
        'passes_on': date_text(found ~ '.passes_on'),
        'period_end': time_text(found ~ '.period_end'),
        'projected_quantity': as_text(found ~ '.median_quantity'),
        'quantity_so_far': as_text(found ~ '.quantity_so_far'),
        'remaining_minor': found ~ '.remaining_minor',
    }) }}
{%- endmacro %}

{# What Stripe is sent for one. #}
{% macro alert_params(found) -%}
    {%- set filter = as_json({'customer': found ~ '.customer_id', 'type': "'customer'"}) -%}
    {%- set threshold = as_json({
        'filters': json_of_one(filter), 'gte': found ~ '.gte', 'meter': found ~ '.meter_id', 'recurrence': "'one_time'",
    }) -%}
    {{ as_json_text({'alert_type': "'usage_threshold'", 'usage_threshold': threshold}) }}
{%- endmacro %}
