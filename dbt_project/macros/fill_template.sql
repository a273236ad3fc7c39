{# Fills the {slots} of a template column in one pass, so that a value holding braces is never read as a slot.
   `slots` maps a slot's name to an SQL expression that gives text. A slot that the template names and the map lacks,
   or whose value is null, fails the build. #}
{% macro fill_template(template, slots) %}
  {{- adapter.dispatch('fill_template', 'meterwise')(template, slots) -}}
{% endmacro %}

{# A case of slots costs a tenth of a map of them, which would be made for each part of each text. #}
{% macro default__fill_template(template, slots) %}
  array_to_string(
    list_transform(
      regexp_extract_all({{ template }}, '\{[a-z_0-9]+\}|[^{]+|\{'),
      lambda part: case
        when not regexp_matches(part, '^\{[a-z_0-9]+\}$') then part
        else coalesce(
          case part
            {%- for slot, expression in slots.items() %}
            when '{{ "{" ~ slot ~ "}" }}' then cast({{ expression }} as varchar)
            {%- endfor %}
          end,
          error('message_templates: slot ' || part || ' is not offered, or has no value, for: ' || {{ template }})
        )
      end
    ),
    ''
  )
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
