{# A recommendation's id says what would be done to whom in which period, never how sure a model was: a rebuild gives
   the same id, and the runner can tell that it has met it before. Of proposals with one id the most urgent stands. #}
with

tier_upgrades as (select * from {{ ref('int_tier_upgrades_proposed') }}),
right_size_downgrades as (select * from {{ ref('int_right_size_downgrades_proposed') }}),
upgrade_quotes as (select * from {{ ref('int_upgrade_quotes_proposed') }}),
usage_alerts as (select * from {{ ref('int_usage_alerts_proposed') }}),
courtesy_credits as (select * from {{ ref('int_courtesy_credits_proposed') }}),
retention_offers as (select * from {{ ref('int_retention_offers_proposed') }}),
retry_payments as (select * from {{ ref('int_retry_payments_proposed') }}),
payment_plans as (select * from {{ ref('int_payment_plans_proposed') }}),
invoice_notes as (select * from {{ ref('int_invoice_notes_proposed') }}),
experiment_prices as (select * from {{ ref('int_experiment_prices_proposed') }}),
price_tests as (select * from {{ ref('int_price_test_assignments_proposed') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),

proposals as (

    select * from tier_upgrades
    union all
    select * from right_size_downgrades
    union all
    select * from upgrade_quotes
    union all
    select * from usage_alerts
    union all
    select * from courtesy_credits
    union all
    select * from retention_offers
    union all
    select * from retry_payments
    union all
    select * from payment_plans
    union all
    select * from invoice_notes
    union all
    select * from experiment_prices
    union all
    select * from price_tests

),

-- what is about no customer is of the mode that the account's customers are of
modes as (

    select
        account_id,
        bool_or(livemode) as livemode
    from customers
    group by account_id

),

moded as (

    select
        proposals.*,
        coalesce(customers.livemode, modes.livemode) as livemode
    from proposals
    inner join modes
        on proposals.account_id = modes.account_id
    left join customers
        on
            proposals.account_id = customers.account_id
            and proposals.customer_id = customers.customer_id
    -- nobody is advised on who is gone
    where (proposals.customer_id is null) = (customers.customer_id is null)

),

identified as (

    select
        *,
        {{ recommendation_id() }} as recommendation_id
    from moded

),

numbered as (

    select
        *,
        row_number() over (
            partition by account_id, recommendation_id
            order by urgency desc, amount_minor desc, coalesce(source_event_id, '') asc
        ) as place_of_id
    from identified

)

select * from numbered
where place_of_id = 1
