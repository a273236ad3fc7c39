{# When discounts were on customers, subscriptions and items: from their own start to their own end, or to when they
   were taken off, as an event or the next load told. #}
with

versions as (select * from {{ ref('stg_stripe__versions') }}),

-- whatever can carry discounts, each time it was read
carriers as (

    select
        account_id,
        kind,
        id as owner_id,
        coalesce(superseded_at, timestamp '9999-12-31 00:00:00') as next_read_at,
        case
            when kind = 'customers' then {{ json_of_one(part_of_json('payload', '$.discount')) }}
            else {{ part_of_json('payload', '$.discounts') }}
        end as discounts
    from versions
    where kind in ('customers', 'subscriptions', 'subscription_items')

),

told as (

    select
        account_id,
        {{ part_of_json('payload', '$.data.object') }} as entry,
        case
            when {{ text_in_json('payload', '$.type') }} = 'customer.discount.deleted'
                then {{ time_in_json('payload', '$.created') }}
        end as removed_at
    from versions
    where
        kind = 'events'
        and payload like '%"customer.discount.%'

),

seen as (

    select
        account_id,
        case when kind = 'subscription_items' then owner_id end as subscription_item_id,
        case when kind = 'subscriptions' then owner_id end as subscription_id,
        case when kind = 'customers' then owner_id end as customer_id,
        entry,
        position,
        next_read_at,
        cast(null as timestamp) as removed_at
    from ({{ entries_of_json('carriers', 'discounts', ['account_id', 'kind', 'owner_id', 'next_read_at']) }}) as entries
    union all
    select
        account_id,
        {{ text_in_json('entry', '$.subscription_item') }} as subscription_item_id,
        {{ text_in_json('entry', '$.subscription') }} as subscription_id,
        {{ text_in_json('entry', '$.customer') }} as customer_id,
        entry,
        null as position,
        null as next_read_at,
        removed_at
    from told
    where {{ text_in_json('entry', '$.object') }} = 'discount'

),

lives as (

    select
        account_id,
        {{ text_in_json('entry', '$.id') }} as discount_id,
        max(subscription_item_id) as subscription_item_id,
        max(subscription_id) as subscription_id,
        max(customer_id) as customer_id,
        max({{ text_in_json('entry', '$.source.coupon') }}) as coupon,
        max(position) as position,
        min({{ time_in_json('entry', '$.start') }}) as valid_from,
        -- while it is on the last version that was read, it has not been taken off
        least(min({{ time_in_json('entry', '$.end') }}), coalesce(min(removed_at), max(next_read_at))) as valid_to
    from seen
    where
        {{ text_in_json('entry', '$.invoice') }} is null
        and {{ text_in_json('entry', '$.invoice_item') }} is null
    group by
        account_id,
        {{ text_in_json('entry', '$.id') }}

)

select * from lives
