with

upgrades as (select * from {{ ref('int_tier_upgrades_valued') }}),
customers as (select * from {{ ref('dim_customers') }}),
meters as (select * from {{ ref('stg_stripe__meters') }}),
currencies as (select * from {{ ref('currencies') }}),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

in_words as (

    select
        upgrades.account_id,
        upgrades.subscription_item_id,
        upgrades.kind,
        case
            when upgrades.difference_minor < 0 then 'tier_upgrade_cheaper'
            when upgrades.difference_minor > 0 then 'tier_upgrade_dearer'
            else 'tier_upgrade_equal'
        end as comparison_kind,
        coalesce({{ safe_text('customers.name') }}, upgrades.customer_id) as customer,
        coalesce({{ safe_text('meters.meter_name') }}, upgrades.meter_id) as meter,
        {{ safe_text('upgrades.product_name') }} as plan,
        {{ safe_text('upgrades.next_product_name') }} as next_plan,
        {{ share_to_text('upgrades.used_share') }} as used_share,
        {{ share_to_text('upgrades.projected_share') }} as projected_share,
        {{ quantity_to_text('upgrades.included_units') }} as included,
        {{ quantity_to_text('coalesce(upgrades.next_included_units, 0)') }} as next_included,
        {{ as_text('upgrades.days_remaining') }} as days_left,
        {{ as_text('upgrades.days_in_period') }} as days_in_period,
        {{ money_to_text('upgrades.current_cost_minor', 'upgrades.currency', 'currencies.minor_unit_exponent') }}
            as current_cost,
        {{ money_to_text('upgrades.next_cost_minor', 'upgrades.currency', 'currencies.minor_unit_exponent') }}
            as next_cost,
        {{ money_to_text('abs(upgrades.difference_minor)', 'upgrades.currency', 'currencies.minor_unit_exponent') }}
            as difference

    from upgrades
    inner join customers
        on
            upgrades.account_id = customers.account_id
            and upgrades.customer_id = customers.customer_id
    inner join currencies
        on upgrades.currency = currencies.currency
    left join meters
        on
            upgrades.account_id = meters.account_id
            and upgrades.meter_id = meters.meter_id

),

compared as (

    select
        in_words.*,
        {{ fill_template('templates.body', {
            'next_plan': 'in_words.next_plan',
            'next_included': 'in_words.next_included',
            'next_cost': 'in_words.next_cost',
            'current_cost': 'in_words.current_cost',
            'difference': 'in_words.difference',
        }) }} as comparison

    from in_words
    inner join templates
        on in_words.comparison_kind = templates.kind

),

worded as (

    select
        compared.account_id,
        compared.subscription_item_id,
        {{ fill_template('templates.body', {
            'customer': 'compared.customer',
            'used_share': 'compared.used_share',
            'included': 'compared.included',
            'meter': 'compared.meter',
            'plan': 'compared.plan',
            'days_left': 'compared.days_left',
            'days_in_period': 'compared.days_in_period',
            'projected_share': 'compared.projected_share',
            'comparison': 'compared.comparison',
        }) }} as reason

    from compared
    inner join templates
        on compared.kind = templates.kind

)

select * from worded
