{# Days of the last usage_drivers_days, also of periods that run: what an item used beside the mean of the same weekday
   in the four weeks before, and what the rating rule makes of the day in its place in the billing period: the bill up to it,
   less the bill without it. The day on which a period begins counts in the one before, as in usage_drivers. #}
{% set item = ['account_id', 'subscription_item_id'] %}
{% set cases = {'0': 'quantity_before', '1': 'quantity_before + quantity', '2': 'quantity_before + usual_quantity'} %}
with

periods as (select * from {{ ref('int_usage_periods') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),

spans as (

    select
        {{ columns_of('periods', item + ['period_start', 'period_end', 'as_of', 'is_open', 'is_trial']) }},
        {{ columns_of('periods', ['price_id', 'currency']) }},
        coalesce(periods.aggregation_formula, 'sum') = 'last' as is_last_value,
        periods.first_day_quantity,
        periods.counts_from,
        coalesce(
            lead(periods.counts_from) over (
                partition by periods.account_id, periods.subscription_item_id
                order by periods.period_start
            ),
            cast(periods.used_until - interval '1 microsecond' as date) + 1
        ) as counts_until
    from periods

),

days as (

    select
        {{ columns_of('usage_daily', item + ['customer_id', 'meter_id', 'usage_date', 'quantity']) }},
        {{ columns_of('spans', [
            'currency', 'price_id', 'period_start', 'period_end', 'as_of', 'is_open', 'is_trial', 'is_last_value',
        ]) }},
        cast(
            spans.first_day_quantity + sum(usage_daily.quantity) over (
                partition by usage_daily.account_id, usage_daily.subscription_item_id, spans.period_start
                order by usage_daily.usage_date
            ) - usage_daily.quantity as decimal(18, 6)
        ) as quantity_before
    from usage_daily
    inner join spans
        on
            {{ same_keys('usage_daily', 'spans', item) }}
            and usage_daily.usage_date >= spans.counts_from
            and usage_daily.usage_date < spans.counts_until
    where spans.counts_until > {{ days_before('spans.as_of', 'usage_drivers_days') }}

),

weeks as (

    select
        {{ item | join(', ') }},
        usage_date,
        count(*) over same_weekday as weeks,
        sum(quantity) over same_weekday as quantity
    from usage_daily
    window same_weekday as (
        partition by account_id, subscription_item_id, {{ iso_weekday('usage_date') }}
        order by usage_date rows between 4 preceding and 1 preceding
    )

),

compared as (

    select
        days.*,
        cast(
            {{ divide_half_up('100 * weeks.quantity', 'weeks.weeks') }} * cast(0.01 as decimal(3, 2)) as decimal(18, 6)
        ) as usual_quantity
    from days
    inner join weeks
        on {{ same_keys('days', 'weeks', item + ['usage_date']) }}
    where days.usage_date > {{ days_before('days.as_of', 'usage_drivers_days') }}

),

asked as (

    {% for number, quantity in cases.items() -%}
        select
            {{ columns_of('compared', item + ['price_id', 'currency', 'usage_date']) }},
            {{ number }} as case_number,
            cast({{ quantity }} as decimal(18, 6)) as quantity
        from compared
        where not is_last_value and {{ quantity }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

rated as ({{ rate_totals('asked', ['subscription_item_id', 'usage_date', 'case_number']) }}),

amounts as (

    select
        {{ columns_of('rated', item + ['usage_date']) }},
        max(case when case_number = 0 then rated_amount_minor end) as amount_0,
        max(case when case_number = 1 then rated_amount_minor end) as amount_1,
        max(case when case_number = 2 then rated_amount_minor end) as amount_2
    from rated
    group by {{ columns_of('rated', item + ['usage_date']) }}

)

select
    compared.*,
    case when compared.is_trial then 0 else amounts.amount_1 - amounts.amount_0 end as cost_minor,
    case when compared.is_trial then 0 else amounts.amount_2 - amounts.amount_0 end as usual_cost_minor
from compared
left join amounts
    on {{ same_keys('compared', 'amounts', item + ['usage_date']) }}
