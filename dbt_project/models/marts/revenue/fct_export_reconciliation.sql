{# Invoices of ours that an export leaves out are missing there between the first and the last invoice in its file. #}
with

exported as (select * from {{ ref('stg_exports__invoice_amounts') }}),
ours as (select * from {{ ref('int_invoice_amounts_listed') }}),

-- an export of invoices may know them by their number alone
named as (

    select
        exported.*,
        coalesce(exported.line_id, exported.invoice_id, ours.invoice_id, exported.export_key) as record_id
    from exported
    left join ours
        on
            exported.account_id = ours.account_id
            and exported.kind = ours.kind
            and exported.invoice_number = ours.number
            and exported.kind = 'invoice'
            and exported.invoice_id is null

),

-- one export may know an invoice by its id and another by its number: the newest one says what it is
placed as (

    select
        *,
        row_number() over (
            partition by account_id, kind, record_id
            order by loaded_at desc, file_id desc, export_key desc
        ) as place
    from named

),

covered as (

    select
        named.account_id,
        named.kind,
        named.file_id,
        min(ours.created_at) as covered_from,
        max(ours.created_at) as covered_to
    from named
    inner join ours
        on
            named.account_id = ours.account_id
            and named.kind = ours.kind
            and named.record_id = ours.record_id
    group by
        named.account_id,
        named.kind,
        named.file_id

),

every_record as (

    select
        account_id,
        kind,
        record_id
    from named
    union distinct
    select
        ours.account_id,
        ours.kind,
        ours.record_id
    from ours
    inner join covered
        on
            ours.account_id = covered.account_id
            and ours.kind = covered.kind
            and ours.created_at between covered.covered_from and covered.covered_to
    where ours.status not in ('draft', 'void')

),

compared as (

    select
        every_record.account_id,
        every_record.kind,
        every_record.record_id,
        coalesce(ours.invoice_id, named.invoice_id) as invoice_id,
        coalesce(ours.number, named.invoice_number) as invoice_number,
        ours.customer_id,
        coalesce(ours.currency, named.currency) as currency,
        named.amount_minor as exported_amount_minor,
        ours.amount_minor,
        case when ours.currency = named.currency then ours.amount_minor - named.amount_minor end as difference_minor,
        case
            when named.record_id is null then 'missing_there'
            when ours.record_id is null then 'missing_here'
            when ours.currency != named.currency then 'other_currency'
            when named.amount_minor is null then 'amount_unreadable'
            when named.is_contradictory then 'exported_twice'
            when ours.amount_minor = named.amount_minor then 'matches'
            when ours.status = 'draft' then 'not_final'
            when ours.status = 'void' then 'void'
            else 'amount_differs'
        end as status,
        named.loaded_at as exported_at
    from every_record
    left join placed as named
        on
            every_record.account_id = named.account_id
            and every_record.kind = named.kind
            and every_record.record_id = named.record_id
            and named.place = 1
    left join ours
        on
            every_record.account_id = ours.account_id
            and every_record.kind = ours.kind
            and every_record.record_id = ours.record_id

)

select * from compared
