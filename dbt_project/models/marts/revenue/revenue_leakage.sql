with

usage_leaks as (select * from {{ ref('int_leaks_of_usage') }}),
bill_leaks as (select * from {{ ref('int_leaks_of_bills') }}),
coupon_leaks as (select * from {{ ref('int_leaks_of_coupons') }}),
items as (select * from {{ ref('int_items_at_book') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }} where standing = 'trialing'),
as_of as (select * from {{ ref('int_as_of') }}),

trials as (

    select
        subscriptions.account_id,
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.currency,
        cast(subscriptions.trial_ends_at as date) as since_day,
        sum(case when not items.is_metered then items.own_monthly_minor end) as amount_minor
    from subscriptions
    inner join as_of
        on
            subscriptions.account_id = as_of.account_id
            and cast(subscriptions.trial_ends_at as date) < as_of.as_of
    left join items
        on
            subscriptions.account_id = items.account_id
            and subscriptions.subscription_id = items.subscription_id
    group by
        subscriptions.account_id,
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.currency,
        subscriptions.trial_ends_at

),

below_book as (select * from items where book_monthly_minor > own_monthly_minor),

leaks as (

    {{ leaks_of('usage_leaks', {
        'kind': 'kind',
        'subject_id': "customer_id || ':' || meter_id || ':' || coalesce(subscription_item_id, '')",
        'customer_id': 'customer_id', 'subscription_id': 'subscription_id',
        'subscription_item_id': 'subscription_item_id', 'meter_id': 'meter_id', 'price_id': 'price_id',
        'since_day': 'since_day', 'quantity': 'quantity',
        'amount_basis': "'in_all'", 'amount_minor': 'amount_minor', 'currency': 'currency',
    }) }}
    union all
    {{ leaks_of('bill_leaks', {
        'kind': 'kind',
        'subject_id': "subscription_item_id || ':' || " ~ time_text('period_start'),
        'customer_id': 'customer_id', 'subscription_id': 'subscription_id',
        'subscription_item_id': 'subscription_item_id', 'meter_id': 'meter_id', 'price_id': 'price_id',
        'invoice_id': 'invoice_id', 'since_day': 'since_day', 'quantity': 'quantity',
        'amount_basis': "'in_all'", 'amount_minor': 'amount_minor', 'currency': 'currency',
    }) }}
    union all
    {{ leaks_of('coupon_leaks', {
        'kind': "'expired_coupon'", 'subject_id': "subscription_id || ':' || discount_id",
        'customer_id': 'customer_id', 'subscription_id': 'subscription_id', 'coupon_id': 'coupon_id',
        'since_day': 'since_day',
        'amount_basis': "'per_month'", 'amount_minor': 'amount_minor', 'currency': 'currency',
    }) }}
    union all
    {{ leaks_of('trials', {
        'kind': "'trial_past_end'", 'subject_id': 'subscription_id',
        'customer_id': 'customer_id', 'subscription_id': 'subscription_id', 'since_day': 'since_day',
        'amount_basis': "'per_month'", 'amount_minor': 'amount_minor', 'currency': 'currency',
    }) }}
    union all
    {{ leaks_of('below_book', {
        'kind': "'price_below_book'", 'subject_id': 'subscription_item_id',
        'customer_id': 'customer_id', 'subscription_id': 'subscription_id',
        'subscription_item_id': 'subscription_item_id', 'price_id': 'price_id', 'since_day': 'started_at',
        'amount_basis': "'per_month'", 'amount_minor': 'book_monthly_minor - own_monthly_minor',
        'currency': 'currency',
    }) }}

)

select
    account_id,
    kind || ':' || subject_id as leak_id,
    kind,
    customer_id,
    subscription_id,
    subscription_item_id,
    meter_id,
    price_id,
    coupon_id,
    invoice_id,
    since_day,
    quantity,
    amount_basis,
    amount_minor,
    currency
from leaks
