{# Invoices of the running periods, path by path, in Stripe's order: lines, discounts, prepaid credits, the customer's
   balance; tax is left out. A balance in the customer's favour pays invoices in the order of their ends; a debt goes onto
   the first. What a negative invoice gives back goes onto the balance: nothing is due. #}
{% set invoice = ['account_id', 'subscription_id', 'period_end'] %}
with

invoices as (select * from {{ ref('int_upcoming_invoices') }} where is_running),
paths as (select * from {{ ref('int_upcoming_paths') }} where is_running),
certain as (select * from {{ ref('int_upcoming_lines') }}),
lines as (select * from {{ ref('int_upcoming_path_lines') }}),
credits as (select * from {{ ref('int_upcoming_credits') }}),
balances as (select * from {{ ref('int_customer_balances') }}),

certain_sums as (

    select
        {{ invoice | join(', ') }},
        {{ sum_if_known("case when kind = 'fee' then amount_minor else 0 end") }} as fees_minor,
        {{ sum_if_known("case when kind = 'pending' then amount_minor else 0 end") }} as pending_minor
    from certain
    group by {{ invoice | join(', ') }}

),

line_sums as (

    select
        {{ invoice | join(', ') }},
        path,
        sum(case when kind = 'usage' and amount_minor is not null then 1 else 0 end) as metered_lines,
        cast(sum(case when kind = 'usage' then amount_minor else 0 end) as bigint) as usage_minor,
        cast(sum(net_minor - amount_minor) as bigint) as discounts_minor
    from lines
    group by {{ invoice | join(', ') }}, path

),

credit_sums as (

    select
        {{ invoice | join(', ') }},
        path,
        -cast(sum(drawn_minor) as bigint) as credits_minor
    from credits
    group by {{ invoice | join(', ') }}, path

),

summed as (

    select
        {{ columns_of('paths', invoice + ['path']) }},
        {{ columns_of('invoices', ['customer_id', 'currency', 'place_of_customer']) }},
        case when certain_sums.account_id is null then 0 else certain_sums.fees_minor end as fees_minor,
        case when certain_sums.account_id is null then 0 else certain_sums.pending_minor end as pending_minor,
        case
            when invoices.metered_items = 0 then 0
            when line_sums.metered_lines = invoices.metered_items then line_sums.usage_minor
        end as usage_minor,
        coalesce(line_sums.discounts_minor, 0) as discounts_minor,
        coalesce(credit_sums.credits_minor, 0) as credits_minor,
        coalesce(balances.balance_minor, 0) as customer_balance_minor
    from paths
    inner join invoices
        on {{ same_keys('paths', 'invoices', invoice) }}
    left join certain_sums
        on {{ same_keys('paths', 'certain_sums', invoice) }}
    left join line_sums
        on {{ same_keys('paths', 'line_sums', invoice + ['path']) }}
    left join credit_sums
        on {{ same_keys('paths', 'credit_sums', invoice + ['path']) }}
    left join balances
        on {{ same_keys('invoices', 'balances', ['account_id', 'customer_id', 'currency']) }}

),

netted as (

    select
        *,
        fees_minor + pending_minor + usage_minor + discounts_minor + credits_minor as net_minor
    from summed

),

queued as (

    select
        *,
        sum(greatest(coalesce(net_minor, 0), 0)) over (
            partition by account_id, customer_id, currency, path order by place_of_customer
            rows between unbounded preceding and current row
        ) - greatest(coalesce(net_minor, 0), 0) as paid_before_minor
    from netted

),

settled as (

    select
        *,
        cast(case
            when net_minor < 0 then -net_minor
            when customer_balance_minor < 0
                then -least(net_minor, greatest(-customer_balance_minor - paid_before_minor, 0))
            when net_minor >= 0 and place_of_customer = 1 then customer_balance_minor
            when net_minor >= 0 then 0
        end as bigint) as balance_minor
    from queued

)

select
    *,
    net_minor + balance_minor as total_minor
from settled
