{{ incremental_by_version('promotion_code_id') }}

{% set structure = {
    'code': 'VARCHAR',
    'active': 'BOOLEAN',
    'promotion': {'coupon': 'VARCHAR'},
    'customer': 'VARCHAR',
    'max_redemptions': 'BIGINT',
    'times_redeemed': 'BIGINT',
    'restrictions': {
        'first_time_transaction': 'BOOLEAN',
        'minimum_amount': 'BIGINT',
        'minimum_amount_currency': 'VARCHAR',
    },
    'expires_at': 'BIGINT',
} %}
{% set object = fields(structure) %}

with

latest as ({{ latest_versions(source('stripe', 'promotion_codes'), structure, 'promotion_code_id') }}),

renamed as (

    select
        -- ids
        account_id,
        id as promotion_code_id,
        {{ id_of(object.promotion.coupon) }} as coupon_id,
        {{ id_of(object.customer) }} as customer_id,

        -- text
        {{ object.code }} as promotion_code,
        lower({{ object.restrictions.minimum_amount_currency }}) as minimum_amount_currency,

        -- numbers: minor units
        {{ object.restrictions.minimum_amount }} as minimum_amount_minor,
        {{ object.max_redemptions }} as max_redemptions,
        coalesce({{ object.times_redeemed }}, 0) as times_redeemed,

        -- booleans
        coalesce({{ object.active }}, false) as is_active,
        coalesce({{ object.restrictions.first_time_transaction }}, false) as is_first_time_only,
        is_deleted,
        livemode,

        -- times in UTC
        {{ from_epoch('created') }} as created_at,
        {{ from_epoch(object.expires_at) }} as expires_at,

        -- the landed version that this shows
        version_hash

    from latest

)

select * from renamed
