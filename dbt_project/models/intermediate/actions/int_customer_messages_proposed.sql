{# A draft to the customer beside each recommendation whose kind has a template for it, in the customer's language where
   the template is there in it; and the proposal that a person approves its text. The hash is over subject and body. #}
with

proposals as (select * from {{ ref('int_proposals_worded') }} where not is_held_back and customer_id is not null),
templates as (select * from {{ ref('message_templates') }} where subject is not null),
decided as (select * from {{ ref('int_actions_decided') }}),

chosen as (

    select
        proposals.*,
        templates.locale,
        templates.kind as message_template,
        {{ fill_from_json('templates.subject', 'proposals.words') }} as subject,
        {{ fill_from_json('templates.body', 'proposals.words') }} as body
    from proposals
    inner join templates
        on
            proposals.kind || '_message' = templates.kind
            and templates.locale = 'en'

),

proposed as (

    select
        account_id,
        'customer_message' as kind,
        kind as recommended_kind,
        recommendation_id as source_recommendation_id,
        as_of,
        customer_id,
        subscription_id,
        recommendation_id as source_event_id,
        recommendation_id as subject_id,
        message_template || ':' || locale as target_key,
        period,
        currency,
        livemode,
        locale,
        message_template,
        subject,
        body,
        evidence,
        'h1:' || {{ digest_of(as_json_text({'body': 'body', 'subject': 'subject'})) }} as text_hash,
        reason,
        model_version,
        confidence,
        urgency
    from chosen

),

identified as (

    select
        *,
        {{ recommendation_id() }} as recommendation_id,
        {{ as_json_text({'locale': 'locale', 'template': 'message_template', 'text_hash': 'text_hash'}) }} as params,
        {{ as_json_text({'currency': 'currency', 'customer': 'customer_id', 'livemode': 'livemode'}) }} as precondition
    from proposed

)

select
    identified.*,
    decided.recommendation_id is not null as is_settled
from identified
left join decided
    on
        identified.account_id = decided.account_id
        and identified.recommendation_id = decided.recommendation_id
