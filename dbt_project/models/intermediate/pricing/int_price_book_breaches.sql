{# All that stands against a book: its faults, and the rules of the seed price_rules that it breaks, with the row or the
   figure that does. It is judged on history; where that has nobody whom it reprices, on the forecast. #}
with

customers as (select * from {{ ref('pricing_scenario_customers') }} where book != 'today' and reach = 'repriced'),
tiers as (select * from {{ ref('int_price_book_tiers') }} where book != 'today'),
prices as (select * from {{ ref('dim_prices') }}),
faults as (select * from {{ ref('int_price_book_faults') }}),
rules as ({{ price_rules() }}),
costs as ({{ unit_costs() }}),

by_basis as (

    select
        account_id,
        book,
        currency,
        basis,
        {{ share_of('sum(after_minor - cost_after_minor)', 'sum(after_minor)') }} as margin,
        {{ share_of('sum(case when is_bill_shock then 1 else 0 end)', 'count(*)') }} as shocked_share,
        count(cost_after_minor) < count(*) as has_unknown_cost,
        max(basis) over (partition by account_id, book) as judged_on
    from customers
    group by account_id, book, currency, basis

),

judged as (select * from by_basis where basis = judged_on),

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
    concat_ws(' ', judged.currency, judged.margin) as row_text,
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
    concat_ws(' ', judged.currency, judged.shocked_share) as row_text,
    'most_shocked_share' as fault
from judged
cross join rules
where coalesce(judged.shocked_share > rules.most_shocked_share, true)
union all
select
    tiers.account_id,
    tiers.book,
    min(tiers.row_text) as row_text,
    'min_unit_margin' as fault
from tiers
inner join prices
    on {{ same_keys('tiers', 'prices', ['account_id', 'price_id']) }}
inner join costs
    on
        prices.meter_event_name = costs.meter_event_name
        and tiers.currency = costs.currency
cross join rules
where
    tiers.unit_amount_decimal > 0
    and {{ is_below_unit_margin('tiers', 'costs.unit_cost_decimal', 'rules.min_unit_margin') }}
group by tiers.account_id, tiers.book
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
