{# Each group of metered lines beside what it should cost: the rating of its period where it is what bills its usage, 0
   where it bills none or bills it once more, null where nobody can say. #}
with

line_groups as (select * from {{ ref('int_metered_lines_grouped') }}),
periods as (select * from {{ ref('fct_usage_periods') }}),
usage_periods as (select * from {{ ref('int_usage_periods') }}),

matched as (

    select
        line_groups.*,
        periods.period_start is not null as has_period,
        coalesce(
            line_groups.line_kind in ('usage', 'removed')
            and line_groups.invoice_id = periods.invoice_id
            and line_groups.price_id = periods.price_id
            and line_groups.period_end = periods.period_end
            and line_groups.currency = periods.currency,
            false
        ) as bills_the_period,
        periods.rated_amount_minor as period_amount_minor,
        periods.quantity,
        periods.is_trial,
        usage_periods.is_revised,
        usage_periods.is_overlapping,
        usage_periods.measured_quantity is null as has_no_summary
    from line_groups
    left join periods
        on
            line_groups.account_id = periods.account_id
            and line_groups.subscription_item_id = periods.subscription_item_id
            and line_groups.period_start = periods.period_start
    left join usage_periods
        on
            line_groups.account_id = usage_periods.account_id
            and line_groups.subscription_item_id = usage_periods.subscription_item_id
            and line_groups.period_start = usage_periods.period_start

),

rated as (

    select
        *,
        case
            when bills_the_period then period_amount_minor
            when line_kind in ('usage', 'removed') and not has_period then null
            else 0
        end as rated_amount_minor
    from matched

)

select * from rated
