{# Metered usage of each explained invoice beside that of the invoice before, by meter, and what the change is due to:
   quantity (at the price of the tier that the old period ended in), tiers (what the old price makes of it beyond that)
   and price. Only where one rating stands on each side; the amounts are the rating rule's. #}
{% set price, period = ['account_id', 'price_id', 'currency'], ['account_id', 'subscription_item_id', 'period_start'] %}
{% set old = ['period_start', 'price_id', 'quantity', 'rated_minor', 'included_units', 'tier_index', 'unit_price'] %}
with

explained as (select * from {{ ref('int_invoices_explained') }} where not is_void),
rated as (select * from {{ ref('int_metered_lines_rated') }} where bills_the_period),
steps as (select * from {{ ref('fct_rating_steps') }}),
tiers as (select * from {{ ref('int_price_tiers') }}),

terms as (

    select
        {{ columns_of('tiers', price) }},
        max(tier_index) as tiers,
        max(package_size) as package_size,
        max(case when is_included then upper_bound end) as included_units
    from tiers
    group by {{ columns_of('tiers', price) }}

),

-- the tier that a period ended in; its units are charged in one step
entered as (

    select
        {{ columns_of('steps', period) }},
        max(steps.tier_index) as tier_index,
        {{ latest_by('steps.unit_amount_decimal', 'steps.step_number') }} as unit_price
    from steps
    where not steps.is_flat_fee
    group by {{ columns_of('steps', period) }}

),

-- what was billed, where that differs from what was measured since
measured as (

    select
        {{ columns_of('rated', period + ['invoice_id', 'price_id', 'currency']) }},
        coalesce(rated.meter_id, rated.subscription_item_id) as subject_id,
        case
            when rated.period_amount_minor = rated.invoiced_amount_minor or terms.package_size is not null
                then rated.quantity
            else rated.billed_quantity
        end as quantity,
        rated.period_amount_minor as rated_minor,
        {{ columns_of('terms', ['tiers', 'package_size', 'included_units']) }},
        entered.tier_index,
        entered.unit_price,
        count(*) over (
            partition by rated.account_id, rated.invoice_id, coalesce(rated.meter_id, rated.subscription_item_id)
        ) as ratings
    from rated
    left join terms
        on {{ same_keys('rated', 'terms', price) }}
    left join entered
        on {{ same_keys('rated', 'entered', period) }}

),

alone as (select * from measured where ratings = 1),

compared as (

    select
        {{ columns_of('explained', ['account_id', 'invoice_id']) }},
        {{ columns_of('alone', ['subject_id', 'subscription_item_id', 'period_start', 'price_id', 'currency']) }},
        {{ columns_of('alone', ['quantity', 'rated_minor', 'included_units', 'tier_index']) }},
        {% for column in old -%}
            before.{{ column }} as previous_{{ column }},
        {% endfor -%}
        coalesce(before.tiers > 1 and before.package_size is null, false)
        and (alone.price_id != before.price_id or alone.tier_index != before.tier_index) as is_across_tiers
    from explained
    inner join alone
        on {{ same_keys('explained', 'alone', ['account_id', 'invoice_id']) }}
    left join alone as before
        on
            explained.previous_invoice_id = before.invoice_id
            and {{ same_keys('alone', 'before', ['account_id', 'subject_id', 'currency']) }}

),

repriced as (

    select
        {{ columns_of('compared', ['account_id', 'invoice_id', 'subject_id', 'currency', 'quantity']) }},
        previous_price_id as price_id
    from compared
    where price_id != previous_price_id

),

rated_anew as ({{ rate_totals('repriced', ['invoice_id', 'subject_id']) }}),

at_old_terms as (

    select
        compared.*,
        case
            when compared.price_id = compared.previous_price_id then compared.rated_minor
            else rated_anew.rated_amount_minor
        end as at_old_price_minor,
        {{ change_at('compared.quantity', 'previous_quantity', 'previous_unit_price') }} as at_old_tier_minor
    from compared
    left join rated_anew
        on {{ same_keys('compared', 'rated_anew', ['account_id', 'invoice_id', 'subject_id']) }}

)

{% set by_quantity = 'at_old_price_minor - previous_rated_minor' %}
select
    *,
    case when is_across_tiers then at_old_tier_minor else {{ by_quantity }} end as quantity_effect_minor,
    case when is_across_tiers then {{ by_quantity }} - at_old_tier_minor else 0 end as tier_effect_minor,
    rated_minor - at_old_price_minor as price_effect_minor
from at_old_terms
