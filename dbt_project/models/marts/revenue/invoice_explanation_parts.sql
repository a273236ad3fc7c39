{% set key = ['account_id', 'invoice_id'] %}
{% set about = key + ['customer_id', 'subscription_id', 'currency', 'invoice_day', 'previous_invoice_id'] %}
{% set seats_effect = change_at('parts.quantity', 'parts.previous_quantity', 'parts.previous_unit_amount_decimal') %}
{% set both = 'parts.lines = 1 and parts.previous_lines = 1' %}
with

parts as (select * from {{ ref('int_invoice_parts') }}),
explained as (select * from {{ ref('int_invoices_explained') }}),
compared as (select * from {{ ref('int_invoice_usage_compared') }}),
products as (select * from {{ ref('stg_stripe__products') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),

described as (

    select
        {{ columns_of('explained', about) }},
        currencies.minor_unit_exponent,
        parts.part,
        parts.subject_id,
        case when parts.part in ('usage', 'licensed') then coalesce(
            nullif({{ safe_text('meters.meter_name') }}, ''),
            nullif({{ safe_text('products.product_name') }}, ''),
            nullif({{ safe_text('before.product_name') }}, ''),
            parts.subject_id
        ) end as name,
        case
            when parts.part = 'licensed' and parts.previous_product_id != parts.product_id
                then nullif({{ safe_text('before.product_name') }}, '')
        end as previous_name,
        parts.part not in ('credit_note', 'customer_balance') as is_in_total,
        parts.amount_minor,
        case when explained.previous_invoice_id is not null then parts.previous_amount_minor end
            as previous_amount_minor,
        case when explained.previous_invoice_id is not null then parts.amount_minor - parts.previous_amount_minor end
            as change_minor,
        parts.lines > 0 as is_now,
        parts.previous_lines > 0 as is_before,
        case
            when parts.part = 'usage' then compared.quantity
            when parts.part = 'licensed' and parts.lines = 1 then parts.quantity
        end as quantity,
        case
            when parts.part = 'usage' then compared.previous_quantity
            when parts.part = 'licensed' and parts.previous_lines = 1 then parts.previous_quantity
        end as previous_quantity,
        {{ columns_of('compared', [
            'included_units', 'previous_included_units', 'tier_index', 'previous_tier_index', 'subscription_item_id',
            'period_start', 'previous_period_start',
        ]) }},
        case
            when compared.price_effect_minor is not null then compared.quantity_effect_minor
            when parts.part = 'licensed' and {{ both }}
                then {{ seats_effect }}
            else 0
        end as quantity_effect_minor,
        case when compared.price_effect_minor is not null then compared.tier_effect_minor else 0 end
            as tier_effect_minor,
        case
            when compared.price_effect_minor is not null then compared.price_effect_minor
            when
                parts.part = 'licensed' and {{ both }}
                and parts.unit_amount_decimal != parts.previous_unit_amount_decimal
                then parts.amount_minor - parts.previous_amount_minor - {{ seats_effect }}
            else 0
        end as price_effect_minor
    from parts
    inner join explained
        on {{ same_keys('parts', 'explained', key) }}
    left join compared
        on {{ same_keys('parts', 'compared', key + ['subject_id']) }} and parts.part = 'usage'
    left join products
        on {{ same_keys('parts', 'products', ['account_id', 'product_id']) }}
    left join products as before
        on parts.account_id = before.account_id and parts.previous_product_id = before.product_id
    left join meters
        on parts.account_id = meters.account_id and parts.subject_id = meters.meter_id
    left join currencies
        on explained.currency = currencies.currency

)

select
    {{ columns_of('described', about) }},
    part,
    subject_id,
    name,
    previous_name,
    is_in_total,
    is_now,
    is_before,
    amount_minor,
    previous_amount_minor,
    change_minor,
    {{ amounts_to_text({'amount_text': 'amount_minor'}, 'currency', 'minor_unit_exponent') }},
    {{ money_to_text('change_minor', 'currency', 'minor_unit_exponent') }} as change_text,
    {% for effect in ['quantity', 'tier', 'price'] -%}
        case when change_minor is not null and is_now and is_before then {{ effect }}_effect_minor end
            as {{ effect }}_effect_minor,
    {% endfor -%}
    change_minor - case
        when is_now and is_before then quantity_effect_minor + tier_effect_minor + price_effect_minor else 0
    end as other_effect_minor,
    quantity,
    previous_quantity,
    included_units,
    previous_included_units,
    tier_index,
    previous_tier_index,
    subscription_item_id,
    period_start,
    previous_period_start
from described
