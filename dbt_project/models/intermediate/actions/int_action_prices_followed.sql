{# What became of the prices that an action asked for. #}
with

actions as (select * from {{ ref('int_actions_executed') }}),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),

asked as (

    select
        account_id,
        action_id,
        unnest(from_json(json_extract(params, '$.items'), '[{"id":"VARCHAR","price":"VARCHAR"}]')) as item

    from actions
    where json_array_length(params, '$.items') > 0

),

followed as (

    select
        asked.account_id,
        asked.action_id,
        list(asked.item.price order by asked.item.id) as asked_prices,
        string_agg(items.price_id, ', ' order by asked.item.id) as prices_after,
        bool_and(coalesce(items.price_id = asked.item.price, false)) as is_price_in_force

    from asked
    left join items
        on
            asked.account_id = items.account_id
            and asked.item.id = items.subscription_item_id
    group by asked.account_id, asked.action_id

)

select * from followed
