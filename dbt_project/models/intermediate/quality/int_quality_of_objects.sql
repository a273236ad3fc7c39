{# Objects that do not fit together, or say what nobody knows. They all stay in the marts; here they are counted. #}
{% set customers, subscriptions = ref('stg_stripe__customers'), ref('stg_stripe__subscriptions') %}
{% set items, invoice_payments = ref('stg_stripe__subscription_items'), ref('stg_stripe__invoice_payments') %}
{% set invoices, lines = ref('stg_stripe__invoices'), ref('stg_stripe__invoice_lines') %}
{% set products, prices, meters = ref('stg_stripe__products'), ref('stg_stripe__prices'), ref('stg_stripe__meters') %}
{% set tiers, currencies, intervals = ref('int_price_tiers'), ref('currencies'), ref('billing_intervals') %}
{% set is_living = "ended_at is null and status not in ('canceled', 'incomplete', 'incomplete_expired')" %}

with findings as (

    {{ findings_of([
        {'name': 'customers_in_unknown_currency', 'of': customers, 'id': 'customer_id',
         'where': 'currency is not null', 'lacks': currencies, 'by': ['currency'], 'alone': true},
        {'name': 'subscriptions_in_unknown_currency', 'of': subscriptions, 'id': 'subscription_id',
         'lacks': currencies, 'by': ['currency'], 'alone': true},
        {'name': 'invoices_in_unknown_currency', 'of': invoices, 'id': 'invoice_id',
         'lacks': currencies, 'by': ['currency'], 'alone': true},
        {'name': 'prices_in_unknown_currency', 'of': prices, 'id': 'price_id',
         'lacks': currencies, 'by': ['currency'], 'alone': true},
        {'name': 'subscriptions_without_customer', 'of': subscriptions, 'id': 'subscription_id',
         'lacks': customers, 'by': ['customer_id']},
        {'name': 'items_without_subscription', 'of': items, 'id': 'subscription_item_id',
         'lacks': subscriptions, 'by': ['subscription_id']},
        {'name': 'items_without_price', 'of': items, 'id': 'subscription_item_id',
         'where': 'not is_deleted', 'lacks': prices, 'by': ['price_id']},
        {'name': 'invoices_without_customer', 'of': invoices, 'id': 'invoice_id',
         'lacks': customers, 'by': ['customer_id']},
        {'name': 'invoices_without_subscription', 'of': invoices, 'id': 'invoice_id',
         'where': 'subscription_id is not null', 'lacks': subscriptions, 'by': ['subscription_id']},
        {'name': 'lines_without_invoice', 'of': lines, 'id': 'invoice_line_id',
         'lacks': invoices, 'by': ['invoice_id']},
        {'name': 'lines_without_price', 'of': lines, 'id': 'invoice_line_id',
         'where': 'price_id is null and subscription_item_id is not null'},
        {'name': 'lines_of_unknown_price', 'of': lines, 'id': 'invoice_line_id',
         'where': 'price_id is not null', 'lacks': prices, 'by': ['price_id']},
        {'name': 'payments_without_invoice', 'of': invoice_payments, 'id': 'invoice_payment_id',
         'lacks': invoices, 'by': ['invoice_id']},
        {'name': 'prices_without_product', 'of': prices, 'id': 'price_id',
         'lacks': products, 'by': ['product_id']},
        {'name': 'metered_prices_without_meter', 'of': prices, 'id': 'price_id',
         'where': "usage_type = 'metered'", 'lacks': meters, 'by': ['meter_id']},
        {'name': 'prices_without_tiers', 'of': prices, 'id': 'price_id',
         'where': "billing_scheme = 'tiered'", 'lacks': tiers, 'by': ['price_id']},
        {'name': 'prices_not_rateable', 'of': prices, 'id': 'price_id',
         'where': "coalesce(billing_scheme, '') != 'tiered'", 'lacks': tiers, 'by': ['price_id']},
        {'name': 'package_size_not_positive', 'of': prices, 'id': 'price_id', 'where': 'package_size <= 0'},
        {'name': 'prices_of_unknown_interval', 'of': prices, 'id': 'price_id',
         'where': 'billing_interval is not null', 'lacks': intervals, 'by': ['billing_interval'], 'alone': true},
        {'name': 'meters_of_unknown_formula', 'of': meters, 'id': 'meter_id',
         'where': "coalesce(aggregation_formula, '') not in ('sum', 'count', 'last')"},
        {'name': 'subscriptions_in_unknown_status', 'of': subscriptions, 'id': 'subscription_id',
         'where': "coalesce(status, '') not in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'canceled', "
                  "'incomplete', 'incomplete_expired')"},
        {'name': 'invoices_in_unknown_status', 'of': invoices, 'id': 'invoice_id',
         'where': "coalesce(status, '') not in ('draft', 'open', 'paid', 'uncollectible', 'void')"},
        {'name': 'living_subscriptions_of_deleted_customers', 'of': subscriptions, 'id': 'subscription_id',
         'where': is_living, 'meets': customers, 'by': ['customer_id'], 'parent': 'parent.is_deleted'},
        {'name': 'open_invoices_of_deleted_customers', 'of': invoices, 'id': 'invoice_id',
         'where': "status = 'open'", 'meets': customers, 'by': ['customer_id'], 'parent': 'parent.is_deleted'},
        {'name': 'items_of_deleted_prices', 'of': items, 'id': 'subscription_item_id',
         'where': 'not is_deleted', 'meets': prices, 'by': ['price_id'], 'parent': 'parent.is_deleted'},
        {'name': 'prices_of_deleted_products', 'of': prices, 'id': 'price_id',
         'where': 'is_active and not is_deleted', 'meets': products, 'by': ['product_id'],
         'parent': 'parent.is_deleted'},
        {'name': 'lines_of_deleted_invoices', 'of': lines, 'id': 'invoice_line_id',
         'where': 'not is_deleted', 'meets': invoices, 'by': ['invoice_id'], 'parent': 'parent.is_deleted'},
    ]) }}

)

select * from findings
