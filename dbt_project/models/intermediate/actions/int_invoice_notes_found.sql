{# Subscriptions whose last invoice differs from the one before mainly by usage, per customer the one that differs most.
   There is none where one of today's metered items cannot be put in words. #}
with

invoices as (
    select * from {{ ref('int_invoices') }}
    where
        billing_reason = 'subscription_cycle'
        and status in ('open', 'paid')
        and finalized_at is not null
),
lines as (select * from {{ ref('fct_invoice_lines') }} where is_metered),
-- a note stands on all invoices of a customer, so there is one kind of them; who has cancelled gets no more
subscriptions as (
    select
        *,
        count(*) over (partition by account_id, customer_id) as subscriptions_living
    from {{ ref('dim_subscriptions') }}
    where status not in ('canceled', 'incomplete', 'incomplete_expired')
),
items as (select * from {{ ref('stg_stripe__subscription_items') }} where usage_type = 'metered' and not is_deleted),
sentences as (select * from {{ ref('int_metered_prices_worded') }}),
kinds as (select * from {{ ref('action_kinds') }} where kind = 'invoice_note'),
rules as (
    {{ rules_of('invoice_note', ['changed_share', 'window_days']) }}
),

used as (

    select
        account_id,
        invoice_id,
        sum(amount_minor) as usage_minor

    from lines
    group by account_id, invoice_id

),

followed as (

    select
        invoices.*,
        coalesce(used.usage_minor, 0) as usage_minor,
        lag(invoices.total_minor) over by_subscription as previous_total_minor,
        coalesce(used.usage_minor, 0) - lag(coalesce(used.usage_minor, 0)) over by_subscription as change_minor,
        lead(invoices.invoice_id) over by_subscription as next_invoice_id

    from invoices
    left join used
        on {{ same_keys('invoices', 'used', ['account_id', 'invoice_id']) }}
    window by_subscription as (
        partition by invoices.account_id, invoices.subscription_id
        order by invoices.finalized_at, invoices.invoice_id
    )

),

noted as (

    select
        items.account_id,
        items.subscription_id,
        count(*) = count(sentences.sentence) as is_worded,
        {{ texts_joined('sentences.sentence', ' ', 'items.price_id') }} as sentences,
        {{ texts_joined('items.price_id', ' ', 'items.price_id') }} as price_ids

    from items
    inner join subscriptions
        on {{ same_keys('items', 'subscriptions', ['account_id', 'subscription_id']) }}
    left join sentences
        on
            {{ same_keys('items', 'sentences', ['account_id', 'price_id']) }}
            and subscriptions.currency = sentences.currency
    where
        subscriptions.subscriptions_living = 1
        and subscriptions.status in ('active', 'past_due')
        and subscriptions.canceled_at is null
    group by items.account_id, items.subscription_id

),

found as (

    select
        followed.*,
        kinds.kind,
        noted.sentences,
        noted.price_ids,
        {{ share_of('followed.change_minor', 'followed.previous_total_minor') }} as changed_share,
        {{ share_of(
            'abs(followed.change_minor)',
            '(abs(followed.change_minor) + abs(followed.total_minor - followed.previous_total_minor - followed.change_minor))',
            'decimal(9, 6)'
        ) }} as share_of_change,
        row_number() over (
            partition by followed.account_id, followed.customer_id
            order by abs(followed.change_minor) desc, followed.subscription_id asc
        ) as place

    from followed
    cross join kinds
    cross join rules
    inner join noted
        on {{ same_keys('followed', 'noted', ['account_id', 'subscription_id']) }}
    where
        followed.next_invoice_id is null
        and noted.is_worded
        and followed.previous_total_minor > 0
        and abs(followed.change_minor) >= rules.changed_share * followed.previous_total_minor
        and {{ days_from('cast(followed.finalized_at as date)', 'followed.as_of') }} < rules.window_days

)

select * from found
where
    place = 1
    and share_of_change > 0.5
