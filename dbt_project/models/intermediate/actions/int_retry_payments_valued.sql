{# The chance that one more try collects an invoice: from what became of the account's own tries, those that are alike
   counting most. Each group of tries begins where the wider one stands: all of the account, those of the same number,
   those that also follow the same refusal, those that also come after as many days (a Beta at each step).
   What Stripe would still collect by itself is no gain: of an invoice that it goes on trying, only the share counts that
   such invoices were given up. #}
with

invoices as (select * from {{ ref('int_retry_payments_found') }}),
tries as (select * from {{ ref('int_invoice_tries') }} where attempt_number > 1 and outcome in ('succeeded', 'failed')),
dunning as (select * from {{ ref('int_dunning_invoices') }} where outcome in ('recovered', 'given_up')),
rules as (
    {{ rules_of('retry_payment', ['prior_share', 'prior_tries', 'level_tries', 'least_chance']) }}
),

cells as (

    select
        account_id,
        {{ tries_alike('attempt_number') }} as number_alike,
        coalesce(reason_before, 'unknown') as reason,
        {{ days_alike('days_since_before') }} as days_alike,
        count(*) as tries,
        sum(case when outcome = 'succeeded' then 1 else 0 end) as collected

    from tries
    group by
        account_id,
        {{ tries_alike('attempt_number') }},
        coalesce(reason_before, 'unknown'),
        {{ days_alike('days_since_before') }}

),

counted as (

    select
        invoices.account_id,
        invoices.invoice_id,
        {% set alike = [
            ('all', 'true'),
            ('number', 'cells.number_alike = ' ~ tries_alike('invoices.tries_made + 1')),
            ('reason', 'cells.reason = invoices.reason'),
            ('cell', 'cells.days_alike = ' ~ days_alike('invoices.days_since')),
        ] -%}
        {% for group, _ in alike -%}
            {%- set is_in = alike[:loop.index] | map(attribute=1) | join(' and ') -%}
            coalesce(sum(case when {{ is_in }} then cells.tries end), 0) as {{ group }}_tries,
            coalesce(sum(case when {{ is_in }} then cells.collected end), 0) as {{ group }}_collected,
        {% endfor -%}
        count(cells.tries) as cells_met

    from invoices
    left join cells
        on invoices.account_id = cells.account_id
    group by
        invoices.account_id,
        invoices.invoice_id

),

left_alone as ({{ recovered_alike('invoices', 'dunning') }}),

judged as (

    select
        invoices.*,
        counted.all_tries,
        counted.all_collected,
        counted.number_tries,
        counted.number_collected,
        counted.reason_tries,
        counted.reason_collected,
        counted.cell_tries,
        counted.cell_collected,
        rules.level_tries,
        rules.least_chance,
        left_alone.invoices_alike,
        left_alone.recovered_alike,
        {% set chance = namespace(of='rules.prior_share', weight='rules.prior_tries') -%}
        {% for group, _ in alike -%}
            {%- set hits, trials = 'counted.' ~ group ~ '_collected', 'counted.' ~ group ~ '_tries' -%}
            {%- set chance.of = drawn_share(hits, trials, chance.of, chance.weight) -%}
            {%- set chance.weight = 'rules.level_tries' -%}
        {% endfor -%}
        {{ chance.of }} as chance,
        case
            when invoices.next_payment_attempt_at is null then 0
            else {{ drawn_share(
                'coalesce(left_alone.recovered_alike, 0)', 'coalesce(left_alone.invoices_alike, 0)',
                'rules.prior_share', 'rules.prior_tries'
            ) }}
        end as chance_anyway

    from invoices
    inner join counted
        on {{ same_keys('invoices', 'counted', ['account_id', 'invoice_id']) }}
    cross join rules
    left join left_alone
        on {{ same_keys('invoices', 'left_alone', ['account_id', 'invoice_id']) }}

),

valued as (

    select
        *,
        {{ share_spread('chance', '(cell_tries + level_tries)') }} as chance_spread

    from judged
    where chance >= least_chance

)

select * from valued
