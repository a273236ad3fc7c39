{# How a customer is doing, in parts from 0 to 100; null where nothing is known of one. Chosen, not learnt: the parts
   are what a person would look at. #}
{% set parts = ('usage', 'payment', 'engagement', 'contract') %}

with

features as (select * from {{ ref('customer_asof') }}),
health_parts as (select * from {{ ref('health_parts') }}),

weights as (

    select
        {% for part in parts -%}
            max(case when part = '{{ part }}' then weight end) as {{ part }}_weight,
        {% endfor -%}
        count(*) as parts
    from health_parts

),

parted as (

    select
        account_id,
        customer_id,
        as_of_date,
        is_scoring,
        state,
        cast(round(
            100 * coalesce(
                case when usage_left_28 < usage_left_91 then usage_left_28 else usage_left_91 end, usage_left_28
            )
        ) as integer) as usage_score,
        cast(greatest(
            100 - 20 * least(failed_payments_90d, 3) - 20 * is_past_due - 2 * least(days_past_due, 30), 0
        ) as integer) as payment_score,
        cast(round(100 * (1 - zero_share_28)) as integer) as engagement_score,
        case
            when state = 'leaving' then 0
            when state = 'paused' then 40
            when state = 'trialing' then 60
            else
                100
                - case when bill_change_ratio > 1.05 then 25 else 0 end
                - case when overage_share > 1 then 25 else 0 end
                - case when tenure_days < 90 then 25 else 0 end
        end as contract_score
    from features

),

weighed as (

    select
        {% for part in parts -%}
            coalesce(parted.{{ part }}_score, 0) * weights.{{ part }}_weight as {{ part }}_points,
            case when parted.{{ part }}_score is null then 0 else weights.{{ part }}_weight end as {{ part }}_weight,
        {% endfor -%}
        parted.*
    from parted
    cross join weights

),

scored as (

    select
        *,
        cast(round({{ share_of(
            parts | join('_points + ') ~ '_points', parts | join('_weight + ') ~ '_weight', 'double'
        ) }}) as integer) as weighed_score,
        least(coalesce(usage_score, 100), payment_score, coalesce(engagement_score, 100), contract_score) as worst_score
    from weighed

)

select
    account_id,
    customer_id,
    as_of_date,
    is_scoring,
    state,
    {% for part in parts -%}
        {{ part }}_score,
        {{ part }}_weight,
    {% endfor -%}
    -- a mean hides what is worst; and who has cancelled is not well, whatever is used until the end
    case
        when state = 'leaving' then least(weighed_score, 20)
        else cast(round(0.5 * (weighed_score + worst_score)) as integer)
    end as health_score
from scored
