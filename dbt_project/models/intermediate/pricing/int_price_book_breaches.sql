{# All that stands against a book: its faults, and the rules of the seed price_rules that it breaks, with the row or the
   figure that does. It is judged on history; where that has nobody whom it reprices, on the forecast. #}
with

customers as (select * from {{ ref('pricing_scenario_customers') }} where book != 'today' and reach = 'repriced'),
quantities as (select * from {{ ref('int_scenario_quantities') }}),
tiers as (select * from {{ ref('int_price_book_tiers') }} where book != 'today'),
prices as (select * from {{ ref('dim_prices') }}),
faults as (select * from {{ ref('int_price_book_faults') }}),
rules as ({{ price_rules() }}),
costs as ({{ unit_costs() }}),
unread as ({{ assumptions_unread() }}),

by_basis as (

    select
        account_id,
        book,
        currency,
        basis,
        {{ share_of('sum(after_minor - cost_after_minor)', 'sum(after_minor)') }} as margin,
        {{ share_of('sum(case when is_bill_shock then 1 else 0 end)', 'count(*)') }} as shocked_share,
        count(cost_after_minor) < count(*) as has_unknown_cost,
        max(basis) over (partition by account_id, book, currency) as judged_on
    from customers
    group by account_id, book, currency, basis

),

uncosted as ({{ meters_without_cost('quantities') }}),

judged as (

    select
        by_basis.*,
        -- where the meters in use are known, it is what a subscription costs
        concat_ws(' ', by_basis.currency, coalesce(uncosted.meter_event_name, 'subscription')) as without_cost
    from by_basis
    left join uncosted
        on {{ same_keys('by_basis', 'uncosted', ['account_id', 'currency']) }}
    where by_basis.basis = by_basis.judged_on

),

near_cost as ({{ tiers_near_cost('tiers', 'prices', 'costs', 'rules') }}),
asked as ({{ competitor_quantities('tiers') }}),

book_tiers as (

    select
        account_id,
        book_price_id as price_id,
        {{ tier_columns() }}
    from tiers

),

rated as ({{ rate_totals('asked', ['book', 'row_text', 'competitor_minor', 'minimum_amount_minor'], 'book_tiers') }})

select
    judged.account_id,
    judged.book,
    case
        when judged.has_unknown_cost then judged.without_cost
        when rules.min_margin is null then 'min_margin'
        else concat_ws(' ', judged.currency, judged.margin)
    end as row_text,
    case
        when judged.has_unknown_cost then 'unknown_cost'
        when rules.min_margin is null then 'unknown_rule'
        else 'min_margin'
    end as fault
from judged
cross join rules
where coalesce(judged.has_unknown_cost or judged.margin < rules.min_margin, true)
union all
select
    judged.account_id,
    judged.book,
    case
        when rules.bill_shock_share is null then 'bill_shock_share'
        when rules.most_shocked_share is null then 'most_shocked_share'
        else concat_ws(' ', judged.currency, judged.shocked_share)
    end as row_text,
    case
        when rules.bill_shock_share is null or rules.most_shocked_share is null then 'unknown_rule'
        else 'most_shocked_share'
    end as fault
from judged
cross join rules
where coalesce(judged.shocked_share > rules.most_shocked_share, true) or rules.bill_shock_share is null
union all
select * from near_cost
union all
select distinct
    judged.account_id,
    judged.book,
    unread.row_text,
    'unread_assumption' as fault
from judged
cross join unread
union all
select
    rated.account_id,
    rated.book,
    min(rated.row_text) as row_text,
    'most_above_competitor' as fault
from rated
cross join rules
where {{ is_above_competitor('rated', 'rules.most_above_competitor') }}
group by rated.account_id, rated.book
union all
select
    account_id,
    book,
    row_text,
    fault
from faults
