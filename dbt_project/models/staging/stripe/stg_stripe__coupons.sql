{{ incremental_by_version('coupon_id') }}

{% set structure = {
    'name': 'VARCHAR',
    'percent_off': 'VARCHAR',
    'amount_off': 'BIGINT',
    'currency': 'VARCHAR',
    'duration': 'VARCHAR',
    'duration_in_months': 'INTEGER',
    'valid': 'BOOLEAN',
    'max_redemptions': 'BIGINT',
    'times_redeemed': 'BIGINT',
    'redeem_by': 'BIGINT',
    'applies_to': {'products': ['VARCHAR']},
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'coupons'), structure, 'coupon_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as coupon_id,

        -- text
        {{ object.name }} as coupon_name,
        lower({{ object.currency }}) as currency,
        {{ object.duration }} as duration,

        -- numbers: percent as Stripe writes it (10 is ten per cent), amounts in minor units
        {{ cast_or_null(object.percent_off, 'decimal(9, 6)') }} as percent_off,
        {{ object.amount_off }} as amount_off_minor,
        {{ object.duration_in_months }} as duration_in_months,
        {{ object.max_redemptions }} as max_redemptions,
        coalesce({{ object.times_redeemed }}, 0) as times_redeemed,

        -- lists: null for every product
        {{ object.applies_to.products }} as product_ids,

        -- booleans
        coalesce({{ object.valid }}, false) as is_valid,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.redeem_by) }} as redeem_by_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
