{# What the text of each explained invoice is made of: which sentences it has, and what they name. #}
{% set key = ['account_id', 'invoice_id'] %}
with

explained as (select * from {{ ref('int_invoices_explained') }}),
parts as (select * from {{ ref('int_invoice_parts_worded') }}),
days as (select * from {{ ref('int_invoice_days_worded') }}),
forecasts as (select * from {{ ref('invoice_forecast') }}),
subscriptions as (select * from {{ ref('dim_subscriptions') }}),
beyond_total as (select * from {{ ref('invoice_explanation_parts') }} where not is_in_total),

-- what stands between a total and what is due
settled as (

    select
        account_id,
        invoice_id,
        cast(sum(case when part = 'credit_note' then amount_minor else 0 end) as bigint) as credit_notes_minor,
        cast(sum(case when part = 'customer_balance' then amount_minor else 0 end) as bigint) as balance_minor
    from beyond_total
    group by account_id, invoice_id

),

told as (

    select
        account_id,
        invoice_id,
        cast(sum(moved_minor) as bigint) as moved_minor,
        {{ texts_joined('said', '; ', 'place') }} as parts,
        {{ json_of_rows('facts', 'place') }} as facts
    from parts
    group by account_id, invoice_id

),

-- of a subscription with several ends ahead, the nearest
ahead as (

    select
        *,
        row_number() over (partition by account_id, subscription_id, currency order by period_end) as place
    from forecasts

),

joined as (

    select
        explained.*,
        explained.total_minor - explained.previous_total_minor as change_minor,
        explained.total_minor - coalesce(explained.previous_total_minor, 0) - coalesce(told.moved_minor, 0)
            as rest_minor,
        told.parts,
        told.facts as parts_facts,
        days.name as days_of,
        days.direction as days_case,
        days.days,
        days.facts as days_facts,
        subscriptions.status as subscription_status,
        coalesce(settled.credit_notes_minor, 0) as credit_notes_minor,
        coalesce(settled.balance_minor, 0) as balance_minor,
        ahead.status as forecast_status,
        ahead.is_last,
        ahead.is_collected,
        coalesce(ahead.balance_minor, 0) != 0 as is_next_settled,
        coalesce(explained.next_invoice_day, explained.draft_day, cast(ahead.period_end as date)) as next_day,
        coalesce(explained.next_total_minor, ahead.total_median_minor) as expected_minor,
        case when explained.next_invoice_id is null then ahead.total_q10_minor end as low_minor,
        case when explained.next_invoice_id is null then ahead.total_q90_minor end as high_minor
    from explained
    left join told
        on {{ same_keys('explained', 'told', key) }}
    left join days
        on {{ same_keys('explained', 'days', key) }}
    left join settled
        on {{ same_keys('explained', 'settled', key) }}
    left join subscriptions
        on {{ same_keys('explained', 'subscriptions', ['account_id', 'subscription_id']) }}
    left join ahead
        on
            {{ same_keys('explained', 'ahead', ['account_id', 'subscription_id', 'currency']) }}
            and ahead.place = 1

)

select
    *,
    case
        when is_void then 'void'
        when is_by_hand then 'by_hand'
        when not is_regular then 'between'
        when previous_invoice_id is null then 'first'
        when change_minor > 0 then 'more'
        when change_minor < 0 then 'less'
        else 'equal'
    end as situation,
    case when previous_invoice_id is null then 'of' else 'change' end
    || case
        when parts is null and previous_invoice_id is null then '_nothing'
        when parts is null then 'd_nothing'
        when rest_minor != 0 then '_rest'
        else ''
    end as made_case,
    {{ due_template() }} as due_case,
    {{ next_template() }} as next_case
from joined
