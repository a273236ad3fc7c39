{{ config(severity='warn') }}

{# Stripe's amount and ours are the same to the minor unit, or the reconciliation names the cause of the difference. What
   nothing explains means that the rule itself is wrong; data_quality counts it as an error. #}
with

reconciliation as (select * from {{ ref('fct_invoice_reconciliation') }})

select *
from reconciliation
where difference_cause = 'unexplained'
