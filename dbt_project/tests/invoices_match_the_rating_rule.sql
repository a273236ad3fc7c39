{# Stripe's amount and ours are the same to the minor unit, or the reconciliation names the cause of the difference. #}
with

reconciliation as (select * from {{ ref('fct_invoice_reconciliation') }})

select *
from reconciliation
where difference_cause in ('unexplained', 'price_not_landed')
