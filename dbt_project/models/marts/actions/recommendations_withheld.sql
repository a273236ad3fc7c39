with

proposals as (select * from {{ ref('int_proposals_resolved') }} where verdict != 'recommended'),
templates as (select * from {{ ref('message_templates') }} where locale = 'en'),

withheld as (

    select
        proposals.account_id,
        proposals.recommendation_id,
        proposals.livemode,
        proposals.kind,
        proposals.customer_id,
        proposals.subscription_id,
        proposals.source_event_id,
        proposals.subject_id,
        proposals.target_key,
        proposals.period,
        proposals.verdict,
        {{ fill_template('templates.body', {
            'advice': "replace(proposals.kind, '_', ' ')",
            'first': "replace(proposals.first_kind, '_', ' ')",
            'cools_until': date_text('proposals.cools_until'),
            'refusal': 'proposals.refusal',
        }) }} as why,
        case when proposals.verdict = 'conflict' then proposals.first_recommendation_id end
            as preferred_recommendation_id,
        proposals.cools_until,
        proposals.currency,
        proposals.amount_minor,
        proposals.expected_value_minor,
        proposals.confidence,
        proposals.as_of

    from proposals
    left join templates
        on 'withheld_' || proposals.verdict = templates.kind

)

select * from withheld
