with

customers as (select * from {{ ref('stg_stripe__customers') }}),
subscriptions as (select * from {{ ref('int_subscriptions') }}),
dim_subscriptions as (select * from {{ ref('dim_subscriptions') }}),
mrr_monthly as (select * from {{ ref('fct_mrr_monthly') }}),
tiers as (select * from {{ ref('customer_tiers') }}),
as_of as (select * from {{ ref('int_as_of') }}),

lives as (

    select
        subscriptions.account_id,
        subscriptions.customer_id,
        min(subscriptions.started_at) as first_subscribed_at,
        max(subscriptions.ended_at) as last_ended_at,
        bool_or(subscriptions.ended_at is null) as is_live,
        bool_and(subscriptions.standing in ('suspended', 'ended')) as is_suspended,
        bool_and(subscriptions.standing in ('trialing', 'suspended', 'ended')) as is_trialing,
        {{ latest_by('subscriptions.currency', ['subscriptions.started_at', 'subscriptions.subscription_id']) }}
            as currency,
        {{ latest_by('dim_subscriptions.plan', [
            'subscriptions.ended_at is null', 'subscriptions.started_at', 'subscriptions.subscription_id'
        ]) }} as plan
    from subscriptions
    inner join dim_subscriptions
        on
            subscriptions.account_id = dim_subscriptions.account_id
            and subscriptions.subscription_id = dim_subscriptions.subscription_id
    where subscriptions.has_lived
    group by
        subscriptions.account_id,
        subscriptions.customer_id

),

valued as (

    select
        customers.account_id,
        customers.customer_id,
        customers.name,
        coalesce(customers.currency, lives.currency) as currency,
        customers.segment,
        customers.customer_tier,
        customers.created_at,
        customers.is_deleted,
        customers.is_delinquent,
        customers.balance_minor,
        case
            when lives.customer_id is null then 'never_subscribed'
            when not lives.is_live then 'churned'
            when lives.is_suspended then 'suspended'
            when lives.is_trialing then 'trialing'
            else 'active'
        end as status,
        lives.first_subscribed_at,
        case when not lives.is_live then lives.last_ended_at end as churned_at,
        lives.plan,
        coalesce(mrr_monthly.mrr_minor, 0) as mrr_minor
    from customers
    inner join as_of
        on
            customers.account_id = as_of.account_id
            and customers.created_at < as_of.known_until
    left join lives
        on
            customers.account_id = lives.account_id
            and customers.customer_id = lives.customer_id
    left join mrr_monthly
        on
            customers.account_id = mrr_monthly.account_id
            and customers.customer_id = mrr_monthly.customer_id
            and coalesce(customers.currency, lives.currency) = mrr_monthly.currency
            and mrr_monthly.month_start = {{ month_start('as_of.as_of') }}

),

banded as (

    select
        valued.account_id,
        valued.customer_id,
        max(tiers.from_mrr_minor) as from_mrr_minor
    from valued
    inner join tiers
        on
            valued.currency = tiers.currency
            and valued.mrr_minor >= tiers.from_mrr_minor
    group by
        valued.account_id,
        valued.customer_id

)

select
    valued.account_id,
    valued.customer_id,
    valued.name,
    valued.currency,
    valued.segment,
    coalesce(valued.customer_tier, tiers.customer_tier, 'standard') as customer_tier,
    valued.created_at,
    valued.is_deleted,
    valued.is_delinquent,
    valued.balance_minor,
    valued.status,
    valued.first_subscribed_at,
    valued.churned_at,
    valued.plan,
    valued.mrr_minor
from valued
left join banded
    on
        valued.account_id = banded.account_id
        and valued.customer_id = banded.customer_id
left join tiers
    on
        valued.currency = tiers.currency
        and banded.from_mrr_minor = tiers.from_mrr_minor
