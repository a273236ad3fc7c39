{# Days that begin 30 on each of which every item of a customer used less than a tenth of its own level before, judged
   once those are over, with the usage known then; but not where usage was more than halved in the same weeks of the year
   before too: that is a season. Reads the future on purpose: only labels may read it. #}
{% set year = 364 %}

with

suspected as (select * from {{ ref('int_quiet_days_suspected') }}),
usage_daily as (select * from {{ ref('fct_usage_daily') }}),
corrections as (select * from {{ ref('int_usage_corrections') }}),

days_around as (

    select
        suspected.account_id,
        suspected.customer_id,
        suspected.quiet_from,
        suspected.subscription_item_id,
        {{ days_from('suspected.quiet_from', 'usage_daily.usage_date') }} as days_after,
        coalesce(corrections.known_quantity, usage_daily.quantity) as quantity
    from suspected
    inner join usage_daily
        on
            suspected.account_id = usage_daily.account_id
            and suspected.subscription_item_id = usage_daily.subscription_item_id
            and (
                usage_daily.usage_date between suspected.quiet_from - 91 and suspected.quiet_from + 29
                or usage_daily.usage_date
                between suspected.quiet_from - {{ year + 91 }} and suspected.quiet_from - {{ year - 29 }}
            )
    left join corrections
        on
            usage_daily.account_id = corrections.account_id
            and usage_daily.subscription_item_id = corrections.subscription_item_id
            and usage_daily.usage_date = corrections.usage_date
            and suspected.quiet_from + 30 >= corrections.known_from
            and suspected.quiet_from + 30 < corrections.known_until

),

items_compared as (

    select
        account_id,
        customer_id,
        quiet_from,
        subscription_item_id,
        {% for name, first, last in [
            ('mean_28_before', -28, -1),
            ('mean_91_before', -91, -1),
            ('mean_28_then', -year - 28, -year - 1),
            ('mean_91_then', -year - 91, -year - 1),
            ('next_30_then', -year, -year + 29),
        ] -%}
            {{ share_of(
                'sum(case when days_after between ' ~ first ~ ' and ' ~ last ~ ' then quantity end)',
                'count(case when days_after between ' ~ first ~ ' and ' ~ last ~ ' then quantity end)',
                'double'
            ) }} as {{ name }},
        {% endfor -%}
        count(case when days_after >= 0 then quantity end) as next_30_days,
        max(case when days_after >= 0 then quantity end) as next_30_highest
    from days_around
    group by
        account_id,
        customer_id,
        quiet_from,
        subscription_item_id

),

judged as (

    select
        account_id,
        customer_id,
        quiet_from,
        bool_and(
            next_30_days = 30
            and next_30_highest < 0.1 * 0.5 * (mean_28_before + mean_91_before)
        )
        and not bool_and(
            coalesce(next_30_then < 0.5 * 0.5 * (mean_28_then + mean_91_then), false)
        ) as is_quiet
    from items_compared
    -- items without usage before have no level to fall from
    where mean_28_before > 0
    group by
        account_id,
        customer_id,
        quiet_from

)

select
    account_id,
    customer_id,
    quiet_from
from judged
where is_quiet
