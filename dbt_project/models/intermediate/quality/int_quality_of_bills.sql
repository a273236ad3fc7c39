{# Quantities, periods and sums that contradict themselves, and differences that nobody has explained. #}
{% set lines, invoices, periods = ref('fct_invoice_lines'), ref('fct_invoices'), ref('fct_usage_periods') %}
{% set steps, reconciliation = ref('fct_rating_steps'), ref('fct_invoice_reconciliation') %}
{% set settlement, mrr, prices = ref('fct_invoice_settlement'), ref('fct_mrr_monthly'), ref('stg_stripe__prices') %}

with

line_sums as (

    select
        invoices.account_id,
        invoices.invoice_id,
        max(invoices.subtotal_minor) as subtotal_minor,
        -- no line at all has landed: they make nothing
        coalesce(sum(lines.amount_minor), 0) as amount_minor
    from {{ invoices }} as invoices
    left join {{ lines }} as lines
        on
            invoices.account_id = lines.account_id
            and invoices.invoice_id = lines.invoice_id
    group by invoices.account_id, invoices.invoice_id

),

stacked_discounts as (

    select
        spans.account_id,
        spans.subscription_id,
        count(*) as discounts
    from {{ ref('int_discount_spans') }} as spans
    inner join {{ ref('int_as_of') }} as as_of
        on
            spans.account_id = as_of.account_id
            and spans.valid_to > {{ end_of_day('as_of.as_of') }}
    group by spans.account_id, spans.subscription_id

),

discounts_known as (

    select
        account_id,
        discount_id,
        {{ id_of('coupon') }} as coupon_id
    from {{ ref('int_discount_lives') }}
    where discount_id is not null

),

findings as (

    {{ findings_of([
        {'name': 'negative_line_quantities', 'of': lines, 'id': 'invoice_line_id', 'where': 'quantity < 0'},
        {'name': 'fractional_line_quantities', 'of': lines, 'id': 'invoice_line_id',
         'where': 'not is_metered and quantity != round(quantity)'},
        {'name': 'fractional_package_usage', 'of': periods, 'id': 'subscription_item_id',
         'where': 'quantity != round(quantity)', 'meets': prices, 'by': ['price_id'],
         'parent': 'parent.package_size is not null'},
        {'name': 'negative_period_usage', 'of': periods, 'id': 'subscription_item_id', 'where': 'quantity < 0'},
        {'name': 'overlapping_periods', 'of': ref('int_billing_periods'), 'id': 'subscription_item_id',
         'where': 'is_overlapping'},
        {'name': 'periods_not_rated', 'of': periods, 'id': 'subscription_item_id',
         'where': 'rated_amount_minor is null'},
        {'name': 'tiers_without_price', 'of': steps, 'id': 'price_id', 'where': 'unit_amount_decimal is null'},
        {'name': 'rating_overflows', 'of': steps, 'id': 'subscription_item_id',
         'where': 'amount_minor is null and unit_amount_decimal is not null'},
        {'name': 'licensed_items_not_rated', 'of': ref('int_items_at_book'), 'id': 'subscription_item_id',
         'where': 'not is_metered and own_monthly_minor is null'},
        {'name': 'bills_unexplained', 'of': reconciliation, 'id': 'invoice_id',
         'where': "difference_cause = 'unexplained'"},
        {'name': 'bills_differ_from_usage', 'of': reconciliation, 'id': 'invoice_id',
         'where': "difference_cause in ('usage_differs_from_bill', 'usage_not_landed', 'billed_twice', "
                  "'overlapping_periods', 'usage_after_invoice')"},
        {'name': 'bills_without_landed_price', 'of': reconciliation, 'id': 'invoice_id',
         'where': "difference_cause in ('price_not_landed', 'item_not_landed', 'price_not_rated')"},
        {'name': 'bills_changed_by_hand', 'of': reconciliation, 'id': 'invoice_id',
         'where': "difference_cause in ('line_edited', 'line_removed', 'manual_line')"},
        {'name': 'invoices_without_amount', 'of': invoices, 'id': 'invoice_id',
         'where': 'subtotal_minor is null or total_minor is null or amount_due_minor is null '
                  'or amount_paid_minor is null or amount_remaining_minor is null'},
        {'name': 'invoice_totals_do_not_add_up', 'of': invoices, 'id': 'invoice_id',
         'where': 'subtotal_minor - discount_minor - pretax_credit_minor + tax_minor - inclusive_tax_minor '
                  '!= total_minor'},
        {'name': 'invoice_lines_do_not_add_up', 'of': 'line_sums', 'id': 'invoice_id',
         'where': 'subtotal_minor != amount_minor'},
        {'name': 'settlements_unexplained', 'of': settlement, 'id': 'invoice_id',
         'where': "difference_cause = 'unexplained'"},
        {'name': 'settlements_incomplete', 'of': settlement, 'id': 'invoice_id',
         'where': "difference_cause in ('payment_not_landed', 'credit_note_not_landed', 'balance_not_recorded')"},
        {'name': 'subscriptions_with_over_ten_discounts', 'of': 'stacked_discounts', 'id': 'subscription_id',
         'where': 'discounts > 10'},
        {'name': 'discounts_of_unknown_coupons', 'of': 'discounts_known', 'id': 'discount_id',
         'lacks': ref('stg_stripe__coupons'), 'by': ['coupon_id']},
        {'name': 'mrr_without_fx_rate', 'of': mrr, 'id': 'customer_id',
         'where': 'mrr_minor > 0 and reporting_mrr_minor is null'},
        {'name': 'fx_rates_older_than_a_month', 'of': mrr, 'id': 'customer_id',
         'where': 'fx_quoted_on + 31 < valued_on'},
    ]) }}

)

select * from findings
