{# What the runner must find unchanged in Stripe before it acts; keys in alphabetical order, which is canonical JSON. #}
with

subscriptions as (select * from {{ ref('stg_stripe__subscriptions') }} where not is_deleted),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where not is_deleted),

item_lists as (

    select
        account_id,
        subscription_id,
        {{ json_of_rows(
            as_json({'id': 'subscription_item_id', 'price': 'price_id', 'quantity': 'quantity'}),
            'subscription_item_id'
        ) }} as items

    from items
    group by account_id, subscription_id

),

preconditioned as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.currency,
        subscriptions.livemode,
        subscriptions.status,
        item_lists.items,
        {{ as_json_text({
            'currency': 'subscriptions.currency',
            'customer': 'subscriptions.customer_id',
            'items': 'item_lists.items',
            'livemode': 'subscriptions.livemode',
            'subscription': 'subscriptions.subscription_id',
            'subscription_status': 'subscriptions.status',
        }) }} as precondition

    from subscriptions
    inner join item_lists
        on
            subscriptions.account_id = item_lists.account_id
            and subscriptions.subscription_id = item_lists.subscription_id

)

select * from preconditioned
