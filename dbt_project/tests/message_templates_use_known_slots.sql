-- Fails for each {slot} of a template that message_slots does not offer for its kind.
{{ config(tags=['after_ml']) }}
with

templates as (select * from {{ ref('message_templates') }}),
slots as (select * from {{ ref('message_slots') }}),

used as (

    {{ slots_of('templates', ['kind', 'locale'], "concat_ws(' ', subject, body)") }}

)

select used.*
from used
left join slots
    on used.kind = slots.kind and used.slot = slots.slot
where slots.slot is null
