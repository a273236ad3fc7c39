{# Each period beside the one summary of it, and what it used of the UTC day that it begins on, which it may share with
   the period before. Days say only their total: what earlier periods did not use of all days so far is left for this.
   Days are joined by month, so that each meets one or two periods, and not all of its customer's. #}
{% set by_item = 'partition by account_id, subscription_item_id, meter_id order by period_start' %}
with

periods as (select * from {{ ref('int_billing_periods') }}),
period_usage as (select * from {{ ref('stg_stripe__meter_period_usage') }}),
meter_usage as (select * from {{ ref('stg_stripe__meter_usage') }}),

-- bills know seconds, summaries minutes: fct_invoice_reconciliation names what this moves between two periods
measured as (

    select
        periods.*,
        cast(periods.period_start as date) as starts_on,
        period_usage.quantity as measured_quantity,
        coalesce(period_usage.is_revised, false) as is_revised
    from periods
    left join period_usage
        on
            {{ same_keys('periods', 'period_usage', ['account_id', 'customer_id', 'meter_id']) }}
            and period_usage.window_start = date_trunc('minute', periods.period_start)
            and period_usage.window_end = date_trunc('minute', periods.used_until)

),

placed as (

    select
        *,
        lead(starts_on) over ({{ by_item }}) as next_starts_on,
        coalesce(sum(measured_quantity) over earlier, 0) as earlier_quantity,
        count(measured_quantity) over earlier as earlier_measured,
        count(*) over earlier as earlier_periods,
        min(starts_on) over earlier as earlier_since
    from measured
    window earlier as ({{ by_item }} rows between unbounded preceding and 1 preceding)

),

months as (

    select
        placed.*,
        greatest(starts_on + 1, next_starts_on) as until_day,
        {{ numbers_between(
            '0', months_from('starts_on', 'greatest(starts_on, coalesce(next_starts_on, starts_on) - 1)')
        ) }} as month_number
    from placed

),

days as (

    select
        {{ columns_of('months', ['account_id', 'subscription_item_id', 'period_start']) }},
        cast(sum(case when meter_usage.usage_date = months.starts_on then meter_usage.quantity end) as decimal(18, 6))
            as day_quantity,
        sum(case when meter_usage.usage_date < months.next_starts_on then meter_usage.quantity end) as days_quantity
    from months
    inner join meter_usage
        on
            {{ same_keys('months', 'meter_usage', ['account_id', 'customer_id', 'meter_id']) }}
            and {{ month_start('meter_usage.usage_date') }}
            = {{ add_months(month_start('months.starts_on'), 'months.month_number') }}
            and months.starts_on <= meter_usage.usage_date
            and months.until_day > meter_usage.usage_date
    group by {{ columns_of('months', ['account_id', 'subscription_item_id', 'period_start']) }}

),

summed as (

    select
        placed.*,
        coalesce(days.day_quantity, 0) as day_quantity,
        coalesce(sum(days.days_quantity) over earlier, 0) as earlier_days_quantity
    from placed
    left join days on {{ same_keys('placed', 'days', ['account_id', 'subscription_item_id', 'period_start']) }}
    window earlier as (
        partition by placed.account_id, placed.subscription_item_id, placed.meter_id
        order by placed.period_start rows between unbounded preceding and 1 preceding
    )

),

shared as (

    select
        *,
        case
            when period_start = starts_on or earlier_periods = 0 then day_quantity
            -- unknown: the day stays with the period before; and values of a `last` meter do not add up
            when earlier_measured < earlier_periods or aggregation_formula = 'last' then 0
            -- no more than the day holds, nor less than nothing, where periods left gaps between them
            else greatest(least(earlier_days_quantity + day_quantity - earlier_quantity, day_quantity), 0)
        end as first_day_quantity
    from summed

)

select
    account_id,
    subscription_item_id,
    period_start,
    starts_on,
    measured_quantity,
    is_revised,
    -- of the periods before, and of all days up to this one
    earlier_periods,
    earlier_measured,
    earlier_since,
    cast(earlier_quantity as decimal(38, 6)) as earlier_quantity,
    cast(earlier_days_quantity as decimal(38, 6)) as earlier_days_quantity,
    day_quantity,
    cast(first_day_quantity as decimal(18, 6)) as first_day_quantity,
    -- whole days are counted to a period from here on: the shared day goes where most of it was used
    case when 2 * first_day_quantity >= day_quantity then starts_on else starts_on + 1 end as counts_from
from shared
