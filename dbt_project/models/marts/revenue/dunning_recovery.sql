{% set windows = [7, 14, 30] %}

with

invoices as (select * from {{ ref('int_dunning_invoices') }}),

cohorts as (

    select
        account_id,
        failed_month,
        currency,
        max(attempts_made) as most_attempts,
        count(*) as invoices_failed,
        sum(case when outcome = 'recovered' then 1 else 0 end) as invoices_recovered,
        sum(case when outcome = 'given_up' then 1 else 0 end) as invoices_given_up,
        sum(case when outcome = 'open' then 1 else 0 end) as invoices_open,
        {% for days in windows -%}
            sum(
                case when first_failed_at + interval '{{ days }} days' <= {{ end_of_day('as_of') }} then 1 else 0 end
            ) as invoices_observed_{{ days }}_days,
            sum(
                case
                    when
                        first_failed_at + interval '{{ days }} days' <= {{ end_of_day('as_of') }}
                        and recovered_at <= first_failed_at + interval '{{ days }} days'
                        then 1
                    else 0
                end
            ) as invoices_recovered_{{ days }}_days,
        {% endfor -%}
        sum(amount_due_minor) as amount_failed_minor,
        sum(case when outcome = 'recovered' then amount_due_minor else 0 end) as amount_recovered_minor,
        sum(case when outcome = 'given_up' then amount_due_minor else 0 end) as amount_given_up_minor,
        sum(case when outcome = 'open' then amount_remaining_minor else 0 end) as recoverable_minor
    from invoices
    group by account_id, failed_month, currency

),

cohort_attempts as (

    select
        *,
        {{ numbers_between('1', 'most_attempts') }} as attempt_number
    from cohorts

),

attempts as (

    select
        cohort_attempts.account_id,
        cohort_attempts.failed_month,
        cohort_attempts.currency,
        cohort_attempts.attempt_number,
        sum(case when invoices.attempts_made >= cohort_attempts.attempt_number then 1 else 0 end) as invoices_attempted,
        sum(case when invoices.recovered_attempt = cohort_attempts.attempt_number then 1 else 0 end)
            as recovered_on_attempt,
        sum(case when invoices.recovered_attempt <= cohort_attempts.attempt_number then 1 else 0 end)
            as recovered_by_attempt
    from cohort_attempts
    inner join invoices
        on
            cohort_attempts.account_id = invoices.account_id
            and cohort_attempts.failed_month = invoices.failed_month
            and coalesce(cohort_attempts.currency, '') = coalesce(invoices.currency, '')
    group by
        cohort_attempts.account_id,
        cohort_attempts.failed_month,
        cohort_attempts.currency,
        cohort_attempts.attempt_number

)

select
    cohorts.account_id,
    cohorts.failed_month,
    cohorts.currency,
    attempts.attempt_number,
    cast(cohorts.invoices_failed as bigint) as invoices_failed,
    cast(attempts.invoices_attempted as bigint) as invoices_attempted,
    cast(attempts.recovered_on_attempt as bigint) as recovered_on_attempt,
    {{ share_of('attempts.recovered_on_attempt', 'attempts.invoices_attempted') }} as recovered_on_attempt_share,
    cast(attempts.recovered_by_attempt as bigint) as recovered_by_attempt,
    {{ share_of('attempts.recovered_by_attempt', 'cohorts.invoices_failed') }} as recovered_by_attempt_share,
    {% for days in windows -%}
        cast(cohorts.invoices_observed_{{ days }}_days as bigint) as invoices_observed_{{ days }}_days,
        cast(cohorts.invoices_recovered_{{ days }}_days as bigint) as invoices_recovered_{{ days }}_days,
        {{ share_of('cohorts.invoices_recovered_' ~ days ~ '_days', 'cohorts.invoices_observed_' ~ days ~ '_days') }}
            as recovered_{{ days }}_days_share,
    {% endfor -%}
    cast(cohorts.invoices_recovered as bigint) as invoices_recovered,
    cast(cohorts.invoices_given_up as bigint) as invoices_given_up,
    cast(cohorts.invoices_open as bigint) as invoices_open,
    cast(cohorts.amount_failed_minor as bigint) as amount_failed_minor,
    cast(cohorts.amount_recovered_minor as bigint) as amount_recovered_minor,
    cast(cohorts.amount_given_up_minor as bigint) as amount_given_up_minor,
    cast(cohorts.recoverable_minor as bigint) as recoverable_minor
from cohorts
inner join attempts
    on
        cohorts.account_id = attempts.account_id
        and cohorts.failed_month = attempts.failed_month
        and coalesce(cohorts.currency, '') = coalesce(attempts.currency, '')
