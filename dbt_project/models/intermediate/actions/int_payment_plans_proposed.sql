{# Keys of JSON stand in alphabetical order and numbers are integers or decimal text: that is canonical JSON.
   The days of the instalments are counted from the invoice's due date, in whole steps, so that the plan stays the same
   while somebody decides; what does not divide is paid with the first. #}
with

invoices as (select * from {{ ref('int_payment_plans_found') }}),
words as (select * from {{ ref('message_templates') }} where locale = 'en'),
templates as (select * from words where kind = 'payment_plan_escalation'),

dated as (

    select
        *,
        {% set late = '(' ~ days_from('first_due_on', 'as_of') ~ ' + least_notice_days)' -%}
        case
            when {{ late }} <= 0 then first_due_on
            else first_due_on + cast({{ late }} + days_between - mod({{ late }}, days_between) as integer)
        end as begins_on,
        {{ divide_half_up(
            'amount_remaining_minor - mod(amount_remaining_minor, instalments * billed_multiple_of)', 'instalments'
        ) }} as part_minor,
        {{ share_spread('collected_share', 'weight') }} as collected_spread

    from invoices

),

parts as (

    select
        *,
        {{ numbers_between('1', 'instalments') }} as place

    from dated

),

split as (

    {% set due_on = date_text('begins_on + cast((place - 1) * days_between as integer)') -%}
    {% set first = 'amount_remaining_minor - (instalments - 1) * part_minor' -%}
    {% set amount = 'case when place = 1 then ' ~ first ~ ' else part_minor end' -%}
    select
        account_id,
        invoice_id,
        {{ json_of_rows(as_json({'amount': amount, 'due_on': due_on}), 'place') }} as instalments,
        max({{ first }}) as first_minor,
        {{ texts_joined('case when place > 1 then ' ~ due_on ~ ' end', ' and ', 'place') }} as other_dues

    from parts
    group by
        account_id,
        invoice_id

),

proposed as (

    select
        dated.account_id,
        dated.kind,
        dated.as_of,
        dated.customer_id,
        dated.subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        dated.invoice_id as subject_id,
        'instalments' as target_key,
        {{ date_text('dated.due_on') }} as period,
        dated.currency,
        dated.amount_remaining_minor as amount_minor,
        cast(0 as decimal(18, 6)) as pct_change,
        cast(0 as bigint) as monthly_change_minor,
        {{ as_json_text({'instalments': 'split.instalments', 'invoice': 'dated.invoice_id'}) }} as params,
        {{ as_json_text({
            'amount_remaining': 'dated.amount_remaining_minor', 'currency': 'dated.currency',
            'customer': 'dated.customer_id', 'invoice': 'dated.invoice_id', 'invoice_status': "'open'",
            'livemode': 'dated.livemode',
        }) }} as precondition,
        {{ as_json_text({
            'as_of': date_text('dated.as_of'), 'collected_share': as_text('cast(dated.collected_share as decimal(9, 6))'),
            'days_past_due': 'dated.days_past_due', 'due_on': date_text('dated.due_on'),
            'effect': as_text('dated.effect'), 'invoices_late': 'dated.invoices_late',
            'late_collected': 'dated.late_collected', 'metered_share': as_text('dated.metered_share'),
        }) }} as evidence,
        dated.kind as template,
        {{ as_json_text({
            'amount': money_to_text('dated.amount_remaining_minor', 'dated.currency', 'dated.minor_unit_exponent'),
            'customer': safe_name('dated.name', 'dated.customer_id'), 'days': as_text('dated.days_past_due'),
            'collection': fill_template('tries.body', {'next_attempt': date_text('dated.next_payment_attempt_at')}),
            'escalation': fill_template('templates.body', {'decide_days': as_text('dated.decide_within_days')}),
            'first_amount': money_to_text('split.first_minor', 'dated.currency', 'dated.minor_unit_exponent'),
            'first_due': date_text('dated.begins_on'), 'instalments': as_text('dated.instalments'),
            'invoice_day': date_text('dated.finalized_at'), 'late_collected': as_text('dated.late_collected'),
            'late_invoices': as_text('dated.invoices_late'), 'metered_share': share_to_text('dated.metered_share'),
            'next_amount': money_to_text('dated.part_minor', 'dated.currency', 'dated.minor_unit_exponent'),
            'other_dues': 'split.other_dues',
        }) }} as words,
        'fct_receivables_ageing' as model_version,
        {% for shift, effect, name in [
            ('0', 'effect', ''), ('dated.collected_spread', 'effect_low', '_low'),
            ('-dated.collected_spread', 'effect_high', '_high'),
        ] -%}
            {{ share_of_money(
                'dated.amount_remaining_minor',
                'dated.' ~ effect ~ ' * (1 - least(greatest(dated.collected_share + ' ~ shift ~ ', 0), 1))'
            ) }} as expected_value{{ name }}_minor,
        {% endfor -%}
        cast(1 - dated.collected_share as {{ double_type() }}) as confidence,
        cast(dated.days_past_due as {{ double_type() }}) as urgency

    from dated
    inner join split
        on {{ same_keys('dated', 'split', ['account_id', 'invoice_id']) }}
    cross join templates
    inner join words as tries
        on tries.kind = 'payment_plan_' || case when dated.next_payment_attempt_at is null then 'last' else 'next' end

)

select * from proposed
