{# What became of the prices that an action asked for. #}
with

actions as (select * from {{ ref('int_actions_executed') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),

item_lists as (

    select
        account_id,
        action_id,
        {{ part_of_json('params', '$.items') }} as items

    from actions

),

asked as (

    {{ rows_of_json('item_lists', 'items', ['account_id', 'action_id'], {'id': 'VARCHAR', 'price': 'VARCHAR'}) }}

),

followed as (

    select
        asked.account_id,
        asked.action_id,
        {{ texts_joined('asked.price', ' ', 'asked.id') }} as asked_prices,
        {{ texts_joined('items.price_id', ', ', 'asked.id') }} as prices_after,
        bool_and(coalesce(items.price_id = asked.price, false)) as is_price_in_force

    from asked
    left join items
        on
            asked.account_id = items.account_id
            and asked.id = items.subscription_item_id
    group by asked.account_id, asked.action_id

)

select * from followed
