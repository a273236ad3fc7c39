{# An invoice or a line may be in several exports, or twice in one: the last row of the newest file says what it is. #}
with

source as (select * from {{ source('exports', 'invoice_amounts') }}),
currencies as (select * from {{ ref('currencies') }}),

typed as (

    select
        source.account_id,
        source.file_id,
        source.row_number as file_row_number,
        source.kind,
        source.line_id,
        source.invoice_id,
        source.invoice_number,
        source.currency,
        source.amount as amount_text,
        case
            when source.units = 'minor'
                then cast(cast(source.amount as decimal(38, 6)) as bigint)
            else {{ minor_of_major('source.amount', 'currencies.minor_unit_exponent') }}
        end as amount_minor,
        coalesce(source.line_id, source.invoice_id, source.invoice_number) as export_key,
        source.loaded_at
    from source
    left join currencies
        on source.currency = currencies.currency

),

numbered as (

    select
        *,
        row_number() over by_key as place,
        min(amount_text) over in_file != max(amount_text) over in_file as is_contradictory
    from typed
    window
        by_key as (
            partition by account_id, kind, export_key
            order by loaded_at desc, file_id desc, file_row_number desc
        ),
        in_file as (partition by account_id, kind, export_key, file_id)

)

select
    -- ids
    account_id,
    file_id,
    line_id,
    invoice_id,
    invoice_number,
    export_key,

    -- text: a line or an invoice, and its amount as the file has it
    kind,
    currency,
    amount_text,

    -- numbers: minor units, null where the currency is unknown or has fewer decimal places
    amount_minor,

    -- booleans: the file itself says two amounts
    is_contradictory,

    -- times in UTC
    loaded_at

from numbered
where place = 1
