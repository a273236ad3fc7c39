with

-- nobody sends by mistake what somebody has declined
messages as (select * from {{ ref('int_customer_messages_proposed') }} where not is_declined),

drafts as (

    select
        account_id,
        source_recommendation_id as recommendation_id,
        locale,
        recommendation_id as message_recommendation_id,
        recommended_kind as kind,
        customer_id,
        message_template as template,
        subject,
        body,
        evidence as facts,
        text_hash,
        is_settled as is_decided,
        as_of
    from messages

)

select * from drafts
