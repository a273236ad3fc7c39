{# What the warehouse knows that would explain an incident, the surest first; `unknown` where it knows nothing. #}
{% set rules = anomaly_rules() -%}
with

incidents as (select * from {{ ref('int_anomaly_incidents') }}),
spans as (select * from {{ ref('int_usage_spans') }}),
item_states as (select * from {{ ref('int_item_states') }}),
items as (select * from {{ ref('int_subscription_items') }}),

prices_before as (

    select
        account_id,
        subscription_item_id,
        first_day as changed_on,
        price_id,
        lag(price_id) over (partition by account_id, subscription_item_id order by first_day) as price_before
    from spans

),

quantities_before as (

    select
        item_states.account_id,
        items.customer_id,
        cast(item_states.valid_from as date) as changed_on,
        item_states.quantity,
        lag(item_states.quantity) over (
            partition by item_states.account_id, item_states.subscription_item_id order by item_states.valid_from
        ) as quantity_before
    from item_states
    inner join items
        on {{ same_keys('item_states', 'items', ['account_id', 'subscription_item_id']) }}
    where not items.is_metered

),

changes as (

    select
        incidents.account_id,
        incidents.anomaly_id,
        'price_change' as cause
    from incidents
    inner join prices_before
        on
            {{ same_keys('incidents', 'prices_before', ['account_id', 'subscription_item_id']) }}
            and prices_before.changed_on between incidents.started_on - {{ rules.reach_days }} and incidents.ended_on
    where prices_before.price_id != prices_before.price_before
    union distinct
    select
        incidents.account_id,
        incidents.anomaly_id,
        'seats_change' as cause
    from incidents
    inner join quantities_before
        on
            {{ same_keys('incidents', 'quantities_before', ['account_id', 'customer_id']) }}
            and quantities_before.changed_on
            between incidents.started_on - {{ rules.reach_days }} and incidents.ended_on
    where quantities_before.quantity != quantities_before.quantity_before

),

changed as (

    select
        account_id,
        anomaly_id,
        -- a price before seats
        min(cause) as cause
    from changes
    group by
        account_id,
        anomaly_id

)

select
    incidents.account_id,
    incidents.anomaly_id,
    case
        when incidents.kind = 'zero' then 'silence'
        when changed.cause is not null then changed.cause
        when incidents.history_days < {{ rules.new_days }} then 'new_meter'
        when incidents.direction < 0 then 'unknown'
        when incidents.days = 1 then 'single_day_burst'
        when
            incidents.days >= {{ rules.lasting_days }}
            and incidents.weekend_mean >= {{ rules.flat }} * incidents.weekday_mean
            and incidents.weekend_mean_expected <= {{ rules.rhythmic }} * incidents.weekday_mean_expected
            and coalesce(incidents.related_ratio, 1) < {{ rules.related }}
            then 'machine_loop'
        when
            incidents.days >= {{ rules.lasting_days }}
            and incidents.weekend_mean <= {{ rules.rhythmic }} * incidents.weekday_mean
            and incidents.weekend_mean_expected <= {{ rules.rhythmic }} * incidents.weekday_mean_expected
            and incidents.related_ratio >= {{ rules.related }}
            then 'adoption'
        else 'unknown'
    end as cause
from incidents
left join changed
    on {{ same_keys('incidents', 'changed', ['account_id', 'anomaly_id']) }}
