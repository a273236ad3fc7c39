{# A recommendation's id says what would be done to whom in which period, never how sure a model was: a rebuild gives
   the same id, and the runner can tell that it has met it before. #}
with

tier_upgrades as (select * from {{ ref('int_tier_upgrades_proposed') }}),
courtesy_credits as (select * from {{ ref('int_courtesy_credits_proposed') }}),
retention_offers as (select * from {{ ref('int_retention_offers_proposed') }}),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),

proposals as (

    select * from tier_upgrades
    union all
    select * from courtesy_credits
    union all
    select * from retention_offers

),

identified as (

    select
        proposals.*,
        customers.livemode,
        'h1:' || {{ digest_of(as_json_text({
            'account_id': 'proposals.account_id',
            'customer_id': 'proposals.customer_id',
            'kind': 'proposals.kind',
            'livemode': 'customers.livemode',
            'period': 'proposals.period',
            'subject_id': 'proposals.subject_id',
            'target_key': 'proposals.target_key',
        })) }} as recommendation_id

    from proposals
    inner join customers
        on
            proposals.account_id = customers.account_id
            and proposals.customer_id = customers.customer_id

)

select * from identified
