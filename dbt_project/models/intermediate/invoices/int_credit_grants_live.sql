{# Prepaid credits that have something left, in the order in which Stripe spends them: priority, the first to expire,
   promotional before paid, the first to begin, the oldest. What is left is what the ledger of credits adds up to. #}
with

grants as (select * from {{ ref('stg_stripe__credit_grants') }} where not is_deleted),
transactions as (select * from {{ ref('stg_stripe__credit_balance_transactions') }} where not is_deleted),
as_of as (select * from {{ ref('int_as_of') }}),

balances as (

    select
        transactions.account_id,
        transactions.credit_grant_id,
        cast(sum(transactions.amount_minor) as bigint) as remaining_minor
    from transactions
    inner join as_of
        on
            transactions.account_id = as_of.account_id
            and transactions.created_at < as_of.known_until
    group by transactions.account_id, transactions.credit_grant_id

),

live as (

    select
        grants.account_id,
        grants.credit_grant_id,
        grants.customer_id,
        grants.currency,
        grants.category,
        grants.priority,
        -- no list, or an empty one: every metered price
        case when {{ length_of('grants.scope_price_ids') }} > 0 then grants.scope_price_ids end as scope_price_ids,
        grants.amount_minor as granted_minor,
        coalesce(balances.remaining_minor, grants.amount_minor) as remaining_minor,
        grants.effective_at,
        grants.expires_at,
        grants.created_at,
        as_of.as_of
    from grants
    inner join as_of
        on
            grants.account_id = as_of.account_id
            and grants.created_at < as_of.known_until
    left join balances
        on {{ same_keys('grants', 'balances', ['account_id', 'credit_grant_id']) }}
    where
        coalesce(grants.voided_at >= as_of.known_until, true)
        and coalesce(grants.expires_at > {{ end_of_day('as_of.as_of') }}, true)
        and coalesce(balances.remaining_minor, grants.amount_minor) > 0

)

select
    *,
    row_number() over (
        partition by account_id, customer_id, currency
        order by
            coalesce(priority, 50),
            coalesce(expires_at, timestamp '9999-12-31 00:00:00'),
            case when category = 'promotional' then 0 else 1 end,
            coalesce(effective_at, created_at),
            created_at,
            credit_grant_id
    ) as place
from live
