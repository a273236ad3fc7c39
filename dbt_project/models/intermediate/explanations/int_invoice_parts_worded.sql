{# The parts that the text of an invoice names, largest first, each in words: three at most, the rest is said as a sum.
   Beside an invoice before: what changed; else what there is. #}
{% set key = ['account_id', 'invoice_id'] %}
{% set amounts = {
    'amount': 'amount_minor',
    'previous_amount': 'previous_amount_minor',
    'size': 'abs(amount_minor)',
    'previous_size': 'abs(previous_amount_minor)',
    'price_effect': 'price_effect_minor',
} %}
{% set slots = {} %}
{% for name in [
    'name', 'previous_name', 'quantity', 'previous_quantity', 'included', 'previous_included', 'tier', 'previous_tier',
] + amounts.keys() | list %}{% do slots.update({name: 'in_words.' ~ name}) %}{% endfor %}
with

parts as (select * from {{ ref('invoice_explanation_parts') }} where is_in_total),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

sized as (

    select
        *,
        previous_invoice_id is not null as is_compared,
        coalesce(change_minor, amount_minor) as moved_minor
    from parts

),

placed as (

    select
        *,
        row_number() over (
            partition by account_id, invoice_id
            order by abs(moved_minor) desc, part asc, subject_id asc
        ) as place
    from sized
    where moved_minor != 0

),

in_words as (

    select
        {{ columns_of('placed', key + [
            'place', 'part', 'subject_id', 'moved_minor', 'amount_minor', 'previous_amount_minor', 'price_effect_minor',
            'name', 'previous_name', 'subscription_item_id', 'period_start', 'previous_period_start', 'included_units',
            'previous_included_units', 'tier_index', 'previous_tier_index',
        ]) }},
        placed.quantity as units,
        placed.previous_quantity as previous_units,
        {{ part_template('placed') }} as kind,
        case
            when placed.part != 'usage' or placed.included_units is null then null
            when placed.is_compared and placed.included_units != placed.previous_included_units
                then 'invoice_included_changed'
            else 'invoice_included'
        end as included_kind,
        case
            when placed.tier_index != placed.previous_tier_index and placed.price_effect_minor = 0 then 'invoice_tiers'
        end as tiers_kind,
        case when placed.price_effect_minor != 0 then 'invoice_price' end as price_kind,
        {{ exact_quantity_to_text('placed.quantity') }} as quantity,
        {{ exact_quantity_to_text('placed.previous_quantity') }} as previous_quantity,
        {{ exact_quantity_to_text('placed.included_units') }} as included,
        {{ exact_quantity_to_text('placed.previous_included_units') }} as previous_included,
        {{ as_text('placed.tier_index') }} as tier,
        {{ as_text('placed.previous_tier_index') }} as previous_tier,
        {{ amounts_to_text(amounts, 'placed.currency', 'currencies.minor_unit_exponent') }}
    from placed
    left join currencies
        on placed.currency = currencies.currency
    where placed.place <= 3

)

select
    {{ columns_of('in_words', key + [
        'place', 'part', 'subject_id', 'moved_minor', 'subscription_item_id', 'period_start', 'previous_period_start', 'name',
    ]) }},
    {{ fill_template('templates.body', dict(slots,
        included_clause=or_nothing(fill_template('included.body', slots)),
        tiers_clause=or_nothing(fill_template('tiers.body', slots)),
        price_clause=or_nothing(fill_template('price.body', slots)),
    )) }} as said,
    {{ as_json({
        'amount_minor': 'in_words.amount_minor',
        'change_minor': 'case when in_words.previous_amount_minor is not null then in_words.moved_minor end',
        'included_units': exact_quantity_in_json('in_words.included_units'),
        'name': 'in_words.name',
        'part': 'in_words.part',
        'previous_amount_minor': 'in_words.previous_amount_minor',
        'previous_included_units': exact_quantity_in_json('in_words.previous_included_units'),
        'previous_name': 'in_words.previous_name',
        'previous_quantity': exact_quantity_in_json('in_words.previous_units'),
        'previous_tier': 'in_words.previous_tier_index',
        'price_effect_minor': 'in_words.price_effect_minor',
        'quantity': exact_quantity_in_json('in_words.units'),
        'subject_id': 'in_words.subject_id',
        'tier': 'in_words.tier_index',
    }) }} as facts
from in_words
inner join templates
    on in_words.kind = templates.kind
{% for clause in ['included', 'tiers', 'price'] -%}
    left join templates as {{ clause }}
        on in_words.{{ clause }}_kind = {{ clause }}.kind
{% endfor %}
