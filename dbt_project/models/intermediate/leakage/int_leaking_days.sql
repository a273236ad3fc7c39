{# Days of usage that no item carried, or that Stripe never heard of (a usage log knows it), beside the item that began
   last before the day; where there is none, the first one after it. Stripe lists no item that was taken off before the
   first load: an invoice that bills its period says that the days of it were not lost. #}
with

without_item as (select * from {{ ref('int_usage_without_item') }} where quantity > 0),
reconciliation as (select * from {{ ref('fct_usage_reconciliation') }} where difference_quantity > 0),
spans as (select * from {{ ref('int_usage_spans') }}),
periods as (select * from {{ ref('int_billing_periods') }} where invoice_id is not null),

found as (

    select
        account_id,
        customer_id,
        meter_id,
        usage_date,
        quantity
    from without_item
    where
        not exists (
            select 1
            from periods
            where
                {{ same_keys('without_item', 'periods', ['account_id', 'customer_id', 'meter_id']) }}
                and without_item.usage_date >= cast(periods.period_start as date)
                and without_item.usage_date < periods.used_until
        )
    union all
    select
        account_id,
        customer_id,
        meter_id,
        usage_date,
        difference_quantity as quantity
    from reconciliation
    where status in ('missing_in_stripe', 'differs', 'unknown_customer')

),

leaking as (

    select
        account_id,
        customer_id,
        meter_id,
        usage_date,
        sum(quantity) as quantity
    from found
    group by
        account_id,
        customer_id,
        meter_id,
        usage_date

),

placed as (

    select
        leaking.*,
        spans.subscription_item_id,
        spans.subscription_id,
        spans.price_id,
        spans.currency,
        case
            when spans.first_day is null or spans.first_day > leaking.usage_date then 'usage_without_item'
            when coalesce(spans.last_day < leaking.usage_date, false) then 'usage_after_cancellation'
            else 'usage_not_in_stripe'
        end as kind,
        row_number() over (
            partition by leaking.account_id, leaking.customer_id, leaking.meter_id, leaking.usage_date
            order by
                case when spans.first_day <= leaking.usage_date then 0 else 1 end,
                abs({{ days_from('spans.first_day', 'leaking.usage_date') }}),
                spans.subscription_item_id
        ) as turn
    from leaking
    left join spans
        on {{ same_keys('leaking', 'spans', ['account_id', 'customer_id', 'meter_id']) }}

)

select *
from placed
where turn = 1
