{# What each prepaid credit pays on each path: of the invoices of running periods, of all within the forecast, and which
   of them takes the last of it. #}
with

grants as (select * from {{ ref('int_credit_grants_live') }}),
invoices as (select * from {{ ref('int_upcoming_invoices') }}),
paths as (select * from {{ ref('int_upcoming_paths') }}),
lines as (select * from {{ ref('int_upcoming_path_lines') }} where kind = 'usage'),
draws as (select * from {{ ref('int_upcoming_credits') }}),

-- a path on which no usage is known says nothing
drawable as (

    select distinct
        paths.account_id,
        paths.customer_id,
        paths.currency,
        paths.path
    from paths
    inner join lines
        on {{ same_keys('paths', 'lines', ['account_id', 'subscription_id', 'period_end', 'path']) }}
    where
        paths.path > 0
        and lines.net_minor is not null

),

drawn as (

    select
        draws.account_id,
        draws.credit_grant_id,
        draws.path,
        draws.period_end,
        invoices.is_running,
        sum(draws.drawn_minor) as drawn_minor
    from draws
    inner join invoices
        on {{ same_keys('draws', 'invoices', ['account_id', 'subscription_id', 'period_end']) }}
    group by draws.account_id, draws.credit_grant_id, draws.path, draws.period_end, invoices.is_running

),

summed as (

    select
        grants.account_id,
        grants.credit_grant_id,
        grants.remaining_minor,
        drawable.path,
        cast(coalesce(sum(case when drawn.is_running then drawn.drawn_minor end), 0) as bigint) as running_draw_minor,
        cast(coalesce(sum(drawn.drawn_minor), 0) as bigint) as draw_minor,
        max(drawn.period_end) as last_drawn_at
    from grants
    inner join drawable
        on {{ same_keys('grants', 'drawable', ['account_id', 'customer_id', 'currency']) }}
    left join drawn
        on
            {{ same_keys('grants', 'drawn', ['account_id', 'credit_grant_id']) }}
            and drawable.path = drawn.path
    group by grants.account_id, grants.credit_grant_id, grants.remaining_minor, drawable.path

)

select
    *,
    case when draw_minor >= remaining_minor then cast(last_drawn_at as date) end as depleted_on
from summed
