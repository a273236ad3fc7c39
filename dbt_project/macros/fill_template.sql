{# Fills the {slots} of a template column in one pass, so that a value holding braces is never read as a slot.
   `slots` maps a slot's name to an SQL expression that gives text. A slot that the template names and the map lacks,
   or whose value is null, fails the build. #}
{% macro fill_template(template, slots) %}
  {{- adapter.dispatch('fill_template', 'meterwise')(template, slots) -}}
{% endmacro %}

{# One replacement per slot costs a fiftieth of a map per part. Braces of values are put by as chr(2) meanwhile: what looks
   like a slot at the end is one that nothing filled. #}
{% macro default__fill_template(template, slots) %}
  {%- set filled = namespace(text=template) -%}
  {%- for slot, expression in slots.items() -%}
    {%- set braced = "'{" ~ slot ~ "}'" -%}
    {%- set value = "replace(cast(" ~ expression ~ " as varchar), '{', chr(2))" -%}
    {%- set filled.text = "replace(" ~ filled.text ~ ", " ~ braced ~ ", coalesce(" ~ value ~ ", " ~ braced ~ "))" -%}
  {%- endfor -%}
  list_transform(
    list_value({{ filled.text }}),
    lambda filled: case
      when regexp_matches(filled, '\{[a-z_0-9]+\}') then error(
        'message_templates: slot ' || regexp_extract(filled, '\{[a-z_0-9]+\}')
        || ' is not offered, or has no value, for: ' || {{ template }}
      )
      else replace(filled, chr(2), '{')
    end
  )[1]
{% endmacro %}


{# The same, with slots that stand in the JSON text `words`, {"slot": "text", …}. A slot that the template names and the
   words lack, or whose value is null, fails the build. #}
{% macro fill_from_json(template, words) %}
  {{- adapter.dispatch('fill_from_json', 'meterwise')(template, words) -}}
{% endmacro %}

{% macro default__fill_from_json(template, words) %}
  array_to_string(
    list_transform(
      regexp_extract_all({{ template }}, '\{[a-z_0-9]+\}|[^{]+|\{'),
      lambda part: case
        when not regexp_matches(part, '^\{[a-z_0-9]+\}$') then part
        else coalesce(
          json_extract_string({{ words }}, '$.' || part[2:-2]),
          error('message_templates: slot ' || part || ' is not offered, or has no value, for: ' || {{ template }})
        )
      end
    ),
    ''
  )
{% endmacro %}


{# A select: one row per {slot} that a template of `relation` names, with the columns `keys` beside it. #}
{% macro slots_of(relation, keys, template) %}
  {{- adapter.dispatch('slots_of', 'meterwise')(relation, keys, template) -}}
{% endmacro %}

{% macro default__slots_of(relation, keys, template) %}
    select
        {{ keys | join(', ') }},
        unnest(regexp_extract_all({{ template }}, '\{([^}]*)\}', 1)) as slot
    from {{ relation }}
{% endmacro %}
