{# The prepaid credit that is spent first, as a level of the item that draws most of it in the running periods: what
   it may still cost there before the credit is gone, the mean of the others' draws left to them. #}
with

grants as (select * from {{ ref('int_credit_grants_live') }} where place = 1),
draws as (select * from {{ ref('int_upcoming_credits') }} where path > 0),
invoices as (select * from {{ ref('int_upcoming_invoices') }} where is_running),
paths as (select * from {{ ref('int_credit_draws_pathed') }} where path > 0),

counted as (

    select
        account_id,
        credit_grant_id,
        count(*) as paths
    from paths
    group by account_id, credit_grant_id

),

drawn as (

    select
        {{ columns_of('grants', ['account_id', 'credit_grant_id', 'remaining_minor']) }},
        draws.line_id as subscription_item_id,
        cast(sum(draws.drawn_minor) as bigint) as line_minor
    from grants
    inner join draws
        on {{ same_keys('grants', 'draws', ['account_id', 'credit_grant_id']) }}
    inner join invoices
        on {{ same_keys('draws', 'invoices', ['account_id', 'subscription_id', 'period_end']) }}
    group by {{ columns_of('grants', ['account_id', 'credit_grant_id', 'remaining_minor']) }}, draws.line_id

),

placed as (

    select
        *,
        cast(sum(line_minor) over by_grant as bigint) - line_minor as others_minor,
        row_number() over (
            partition by account_id, credit_grant_id order by line_minor desc, subscription_item_id asc
        ) as line_place
    from drawn
    window by_grant as (partition by account_id, credit_grant_id)

)

select
    {{ columns_of('placed', ['account_id', 'credit_grant_id', 'subscription_item_id', 'remaining_minor']) }},
    placed.remaining_minor - {{ divide_half_up('placed.others_minor', 'counted.paths') }} as level_minor
from placed
inner join counted
    on {{ same_keys('placed', 'counted', ['account_id', 'credit_grant_id']) }}
where placed.line_place = 1
