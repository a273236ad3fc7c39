{# One open proposal per customer: a credit before an offer, an offer before an upgrade, the more urgent first.
   A proposal that was carried out or declined keeps its place, so that no other takes it; it is not proposed again. #}
with

proposals as (select * from {{ ref('int_proposals_identified') }}),
ledger as (select * from {{ ref('stg_action_ledger__events') }}),

settled as (

    select distinct
        account_id,
        recommendation_id

    from ledger
    where
        kind in ('outcome', 'reconciled', 'declined')
        and recommendation_id is not null

),

ranked as (

    select
        proposals.*,
        settled.recommendation_id is not null as is_settled,
        row_number() over (
            partition by
                proposals.account_id,
                proposals.customer_id
            order by
                settled.recommendation_id is not null desc,
                proposals.kind = 'courtesy_credit' desc,
                proposals.kind = 'retention_offer' desc,
                proposals.urgency desc,
                proposals.recommendation_id asc
        ) as place

    from proposals
    left join settled
        on
            proposals.account_id = settled.account_id
            and proposals.recommendation_id = settled.recommendation_id

),

resolved as (

    select
        account_id,
        kind,
        as_of,
        customer_id,
        subscription_id,
        source_event_id,
        subject_id,
        target_key,
        period,
        currency,
        amount_minor,
        pct_change,
        params,
        precondition,
        reason,
        evidence,
        model_version,
        expected_value_minor,
        expected_value_low_minor,
        expected_value_high_minor,
        confidence,
        livemode,
        recommendation_id
    from ranked
    where
        place = 1
        and not is_settled

)

select * from resolved
