{# Open invoices that have been due for some days and are mainly usage, in no dispute and with no charge under way, with
   what became of the account's own invoices that were as late (a Beta). What a plan saves is a share of what would not have come in: an assumption (action_kinds). #}
with

receivables as (select * from {{ ref('fct_receivables_ageing') }}),
invoices as (select * from {{ ref('int_invoices') }} where finalized_at is not null),
lines as (select * from {{ ref('fct_invoice_lines') }} where amount_minor > 0),
tries as (select * from {{ ref('int_invoice_tries') }} where is_disputed or outcome = 'pending'),
customers as (select * from {{ ref('stg_stripe__customers') }} where not is_deleted),
currencies as (select * from {{ ref('currencies') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'payment_plan'),
floors as (select * from {{ ref('action_rules') }} where kind = 'payment_plan' and name = 'floor_minor'),
rules as (
    {{ rules_of('payment_plan', [
        'days_past_due', 'metered_share', 'instalments', 'first_after_days', 'least_notice_days', 'days_between',
        'decide_within_days', 'prior_share', 'prior_invoices',
    ]) }}
),

composed as (

    select
        account_id,
        invoice_id,
        {{ share_of('sum(case when is_metered then amount_minor else 0 end)', 'sum(amount_minor)') }} as metered_share

    from lines
    group by
        account_id,
        invoice_id

),

unsettled as (

    select distinct
        account_id,
        invoice_id

    from tries

),

late as (

    select
        invoices.account_id,
        count(*) as invoices_late,
        sum(case when invoices.status = 'paid' then 1 else 0 end) as late_collected

    from invoices
    cross join rules
    where
        invoices.status = 'uncollectible'
        or (
            invoices.status = 'paid'
            and {{ days_from(
                'cast(coalesce(invoices.due_at, invoices.finalized_at) as date)', 'cast(invoices.paid_at as date)'
            ) }} >= rules.days_past_due
        )
    group by invoices.account_id

),

found as (

    select
        receivables.*,
        kinds.kind,
        {{ value_months('kinds.value_months') }} as value_months,
        kinds.effect_low,
        kinds.effect,
        kinds.effect_high,
        customers.name,
        customers.livemode,
        currencies.minor_unit_exponent,
        currencies.billed_multiple_of,
        composed.metered_share,
        coalesce(late.invoices_late, 0) as invoices_late,
        coalesce(late.late_collected, 0) as late_collected,
        cast(rules.instalments as integer) as instalments,
        cast(rules.days_between as integer) as days_between,
        cast(rules.decide_within_days as integer) as decide_within_days,
        cast(rules.least_notice_days as integer) as least_notice_days,
        receivables.due_on + cast(rules.days_past_due + rules.first_after_days as integer) as first_due_on,
        {{ drawn_share(
            'coalesce(late.late_collected, 0)', 'coalesce(late.invoices_late, 0)',
            'rules.prior_share', 'rules.prior_invoices'
        ) }} as collected_share,
        coalesce(late.invoices_late, 0) + rules.prior_invoices as weight

    from receivables
    inner join invoices
        on {{ same_keys('receivables', 'invoices', ['account_id', 'invoice_id']) }}
    inner join composed
        on {{ same_keys('receivables', 'composed', ['account_id', 'invoice_id']) }}
    inner join customers
        on {{ same_keys('receivables', 'customers', ['account_id', 'customer_id']) }}
    inner join currencies
        on receivables.currency = currencies.currency
    inner join floors
        on receivables.currency = floors.currency
    cross join rules
    cross join kinds
    left join late
        on receivables.account_id = late.account_id
    left join unsettled
        on {{ same_keys('receivables', 'unsettled', ['account_id', 'invoice_id']) }}
    where
        receivables.days_past_due >= rules.days_past_due
        and receivables.amount_remaining_minor >= floors.value
        and composed.metered_share >= rules.metered_share
        and rules.instalments >= 2
        and unsettled.invoice_id is null

)

select * from found
