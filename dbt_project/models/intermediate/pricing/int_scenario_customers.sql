{# A view: every customer's bills under every book that can be computed, and under `today`, which is no change. #}
{{ config(materialized='view') }}
{% set keys = ['account_id', 'basis', 'customer_id', 'currency'] %}
{% set bounds = ['low', 'mid', 'high'] %}
with

quantities as (select * from {{ ref('int_scenario_quantities') }}),
effects as (select * from {{ ref('int_scenario_effects') }}),
books as ({{ price_book_names() }}),
faults as (select * from {{ ref('int_price_book_faults') }}),
costs as ({{ unit_costs() }}),
spans as ({{ months_of_bills('quantities') }}),

bills as (

    select
        {{ keys | join(', ') }},
        max(segment) as segment,
        cast(round(coalesce(sum(today_minor * weight * repeats), 0)) as bigint) as before_minor,
        cast(sum(invoiced_minor) as bigint) as invoiced_minor,
        count(distinct month_start) as months_billed,
        cast(round(sum({{ cost_of('quantity', 'unit_cost_decimal') }} * weight * repeats)) as bigint)
            as usage_cost_minor,
        count(unit_cost_decimal) = count(*) as is_cost_known,
        sum(case when today_minor is null then 1 else 0 end) as unrated_periods
    from quantities
    group by {{ keys | join(', ') }}

),

faulty as (

    select distinct
        account_id,
        book
    from faults

),

currencies_paid as (

    select
        account_id,
        customer_id,
        count(distinct currency) > 1 as has_other_currency
    from bills
    group by account_id, customer_id

),

named as (

    select 'today' as book
    union distinct
    select named as book
    from books

),

paired as (

    select
        bills.*,
        named.book,
        -- a year that begins within a month has bills in thirteen
        greatest(least(bills.months_billed, 12), spans.longest_months) as months,
        currencies_paid.has_other_currency,
        case
            when effects.repriced_periods > 0 then 'repriced'
            when effects.locked_periods > 0 then 'locked'
            when effects.grandfathered_periods > 0 then 'grandfathered'
            else 'not_reached'
        end as reach,
        coalesce(effects.repriced_periods, 0) as repriced_periods,
        coalesce(effects.grandfathered_periods, 0) as grandfathered_periods,
        coalesce(effects.locked_periods, 0) as locked_periods,
        bills.before_minor + coalesce(effects.none_change_minor, 0) as unchanged_usage_minor,
        case when bills.is_cost_known then bills.usage_cost_minor end
        + case
            when costs.meter_event_name is null then 0
            else {{ cost_of('spans.subscription_months', 'costs.unit_cost_decimal') }}
        end as before_cost_minor,
        {% for bound in bounds -%}
            bills.before_minor + coalesce(effects.{{ bound }}_change_minor, 0) as {{ bound }}_minor,
            case when effects.book is not null then effects.{{ bound }}_cost_change_minor else 0 end
                as {{ bound }}_cost_change_minor,
        {% endfor -%}
        coalesce(effects.unrated_periods, 0) + bills.unrated_periods as unrated,
        coalesce(effects.months_shocked, 0) as months_shocked
    from bills
    cross join named
    inner join spans
        on {{ same_keys('bills', 'spans', keys) }}
    inner join currencies_paid
        on {{ same_keys('bills', 'currencies_paid', ['account_id', 'customer_id']) }}
    left join faulty
        on
            bills.account_id = faulty.account_id
            and named.book = faulty.book
    left join effects
        on
            {{ same_keys('bills', 'effects', keys) }}
            and named.book = effects.book
    left join costs
        on
            bills.currency = costs.currency
            and costs.meter_event_name = 'subscription'
    where faulty.book is null

)

select * from paired
