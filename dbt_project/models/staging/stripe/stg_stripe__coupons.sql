{% set structure = {
    'name': 'VARCHAR',
    'percent_off': 'VARCHAR',
    'amount_off': 'BIGINT',
    'currency': 'VARCHAR',
    'duration': 'VARCHAR',
    'duration_in_months': 'INTEGER',
    'valid': 'BOOLEAN',
} %}

with

latest as ({{ latest_versions(source('stripe', 'coupons')) }}),

unpacked as (

    select
        account_id,
        id,
        created,
        is_deleted,
        livemode,
        {{ unpack('payload', structure) }} as object
    from latest

),

renamed as (

    select
        -- ids
        account_id,
        id as coupon_id,

        -- text
        object.name as coupon_name,
        lower(object.currency) as currency,
        object.duration,

        -- numbers: percent as Stripe writes it (10 is ten per cent), amounts in minor units
        try_cast(object.percent_off as decimal(9, 6)) as percent_off,
        object.amount_off as amount_off_minor,
        object.duration_in_months,

        -- booleans
        coalesce(object.valid, false) as is_valid,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at

    from unpacked

)

select * from renamed
