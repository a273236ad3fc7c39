-- Fails for each {slot} of a template that message_slots does not offer for its kind.
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }}),
slots as (select * from {{ ref('message_slots') }}),

used as (

    select
        kind,
        locale,
        unnest(regexp_extract_all(concat_ws(' ', subject, body), '\{([^}]*)\}', 1)) as slot

    from templates

)

select used.*
from used
left join slots
    on used.kind = slots.kind and used.slot = slots.slot
where slots.slot is null
