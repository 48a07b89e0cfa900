//! The JSON Schema of a lab file, for editors: made from the model, kept in `docs/`.
//!
//! This is a test, so that nothing of it ships: it fails where the schema is stale. `scripts/generate`
//! has it write the schema instead.

use std::{borrow::Cow, collections::BTreeMap, fs, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{Placed, Setting, Spec, Subnets, Table, Wait, Words};
use crate::netlink::kind::Inherit;

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Table_of_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// Values that are written in several ways.
macro_rules! schema_of {
    ($($name:ident: $schema:tt)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

schema_of! {
    Subnets: { "type": ["string", "array"], "items": { "type": "string" } }
    Words: { "type": ["string", "array"], "items": { "type": "string" } }
    Setting: { "type": ["string", "integer", "boolean"] }
    Wait: { "type": ["string", "number"], "pattern": "^[0-9.]+(ms|s|m)$" }
    Inherit: { "type": ["integer", "string"], "minimum": 0, "maximum": 255, "pattern": "^inherit$" }
}

fn schema() -> Value {
    let mut schema = schemars::schema_for!(Spec).to_value();
    let root = schema.as_object_mut().unwrap();
    root.insert("title".into(), "A lab of nsnet".into());
    let definitions = root["$defs"].as_object_mut().unwrap();
    definitions["Network"] = with_options(&definitions["Network"], &definitions["Bridge"]);
    definitions["Interface"] = of_each_kind(definitions);
    definitions.remove("Kind");
    describe_variants(&mut definitions["Ready"]);
    tidy(&mut schema);
    let shown = schema.to_string();
    let is_used = |name: &String, _: &mut Value| shown.contains(&format!("\"#/$defs/{name}\""));
    schema["$defs"].as_object_mut().unwrap().retain(is_used);
    schema
}

/// The options of a switch stand beside the other keys of a network.
fn with_options(network: &Value, bridge: &Value) -> Value {
    let mut network = network.clone();
    let properties = network["properties"].as_object_mut().unwrap();
    properties.remove("bridge");
    properties.extend(bridge["properties"].as_object().unwrap().clone());
    network
}

/// An interface has a kind and its options, or none.
fn of_each_kind(definitions: &Map<String, Value>) -> Value {
    let interface = &definitions["Interface"];
    let mut plain = interface["properties"].as_object().unwrap().clone();
    let kind = plain.remove("kind").unwrap();
    let about = |variant: &Value| variant["description"].as_str().unwrap_or_default().to_owned();
    let mut variants = vec![one_kind(&plain, None)];
    for variant in definitions["Kind"]["oneOf"].as_array().unwrap() {
        let words: Vec<(String, Map<String, Value>)> = match variant["properties"].as_object() {
            Some(properties) => {
                let options = |reference: &Value| {
                    let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                    definitions[name]["properties"].as_object().unwrap().clone()
                };
                properties.iter().map(|(word, reference)| (word.clone(), options(reference))).collect()
            }
            None => {
                let many = variant["enum"].as_array().cloned().unwrap_or_else(|| vec![variant["const"].clone()]);
                many.iter().map(|word| (word.as_str().unwrap().to_owned(), Map::new())).collect()
            }
        };
        // A pair is no interface of one node.
        for (word, options) in words.into_iter().filter(|(word, _)| word != "veth" && word != "netkit") {
            variants.push(one_kind(&plain, Some((&kind, &word, about(variant), options))));
        }
    }
    json!({ "description": interface["description"], "oneOf": variants })
}

fn one_kind(plain: &Map<String, Value>, of: Option<(&Value, &str, String, Map<String, Value>)>) -> Value {
    let mut properties = plain.clone();
    let Some((kind, word, about, options)) = of else {
        let about = "An interface that a network or a link makes.";
        return json!({ "type": "object", "description": about, "properties": properties, "additionalProperties": false });
    };
    properties.insert("kind".into(), json!({ "description": kind["description"], "const": word }));
    properties.extend(options);
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": ["kind"],
        "additionalProperties": false,
    })
}

/// What is said of a variant is said of its key.
fn describe_variants(of: &mut Value) {
    for variant in of["oneOf"].as_array_mut().unwrap() {
        let about = variant["description"].clone();
        let properties = variant["properties"].as_object_mut().unwrap();
        properties.values_mut().for_each(|property| property["description"] = about.clone());
    }
}

/// Without what only Rust has: a lab file has no null, and every key that may be left out is off or empty
/// then. Links of its documentation are text.
fn tidy(value: &mut Value) {
    let is_null = |value: &Value| *value == "null" || value["type"] == "null";
    if let Some(table) = value.as_object_mut() {
        table.remove("default");
        if let Some(about) = table.get_mut("description").filter(|about| about.is_string()) {
            *about = about.as_str().unwrap().replace('\\', "").replace('\n', " ").into();
        }
        if let Some(types) = table.get_mut("type").and_then(Value::as_array_mut) {
            types.retain(|known| !is_null(known));
            if let [one] = types.as_slice() {
                table["type"] = one.clone();
            }
        }
        if let Some(any) = table.get_mut("anyOf").and_then(Value::as_array_mut) {
            any.retain(|known| !is_null(known));
            if let [Value::Object(one)] = any.as_slice() {
                let one = one.clone();
                table.remove("anyOf");
                table.extend(one);
            }
        }
        table.values_mut().for_each(tidy);
    } else if let Some(list) = value.as_array_mut() {
        list.iter_mut().for_each(tidy);
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let file = root().join("docs/nsnet-lab.schema.json");
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("NSNET_GENERATE").is_some() {
        fs::write(&file, &made).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap_or_default() == made, "stale, run scripts/generate: {}", file.display());
}

/// Whether a value is what a schema says, by the words that this one has.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, &root["$defs"][reference.rsplit('/').next().unwrap()], root);
    }
    let all = |key: &str| schema[key].as_array();
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("a type {other}"),
    };
    let of_type = match &schema["type"] {
        Value::Null => true,
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    };
    let number = value.as_f64().unwrap_or_default();
    let in_bounds = schema["minimum"].as_f64().is_none_or(|least| !value.is_number() || least <= number)
        && schema["maximum"].as_f64().is_none_or(|most| !value.is_number() || number <= most);
    let count = value.as_array().map_or(0, Vec::len) as u64;
    let in_count = schema["minItems"].as_u64().is_none_or(|least| least <= count)
        && schema["maxItems"].as_u64().is_none_or(|most| count <= most);
    of_type
        && in_bounds
        && in_count
        && (schema["const"].is_null() || schema["const"] == *value)
        && all("enum").is_none_or(|words| words.contains(value))
        && all("oneOf").is_none_or(|any| any.iter().filter(|one| fits(value, one, root)).count() == 1)
        && all("anyOf").is_none_or(|any| any.iter().any(|one| fits(value, one, root)))
        && all("required").is_none_or(|keys| keys.iter().all(|key| value.get(key.as_str().unwrap()).is_some()))
        && value.as_object().is_none_or(|table| table_fits(table, schema, root))
        && value
            .as_array()
            .is_none_or(|list| schema["items"].is_null() || list.iter().all(|item| fits(item, &schema["items"], root)))
}

fn table_fits(table: &Map<String, Value>, schema: &Value, root: &Value) -> bool {
    table.iter().all(|(key, value)| match (&schema["properties"][key], &schema["additionalProperties"]) {
        (Value::Null, Value::Bool(others)) => *others,
        (Value::Null, Value::Null) => true,
        (Value::Null, others) => fits(value, others, root),
        (known, _) => fits(value, known, root),
    })
}

/// All good files of `tests/labs`, as JSON.
fn good_files() -> BTreeMap<String, Value> {
    let files = fs::read_dir(root().join("tests/labs/good")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let json = |path: PathBuf| {
        let spec = Spec::read(&fs::read_to_string(&path).unwrap()).unwrap();
        (path.display().to_string(), serde_json::to_value(spec).unwrap())
    };
    files.map(json).collect()
}

#[test]
fn the_schema_takes_every_good_file_and_refuses_what_cannot_be_read() {
    let schema = schema();
    let good = good_files();
    assert!(good.len() > 5);
    for (file, value) in &good {
        assert!(fits(value, &schema, &schema), "{file}");
    }
    for bad in [
        "{}",
        r#"{ "name": 5 }"#,
        r#"{ "name": "x", "colour": "red" }"#,
        r#"{ "name": "x", "nodes": { "a": { "forwrad": true } } }"#,
        r#"{ "name": "x", "nodes": { "a": { "mtu": -1 } } }"#,
        r#"{ "name": "x", "nodes": { "a": { "interfaces": { "v": { "kind": "vlan", "idd": 5 } } } } }"#,
        r#"{ "name": "x", "nodes": { "a": { "interfaces": { "v": { "kind": "dummy", "id": 5 } } } } }"#,
        r#"{ "name": "x", "nodes": { "a": { "interfaces": { "v": { "id": 5 } } } } }"#,
        r#"{ "name": "x", "networks": { "a": { "bridge": {} } } }"#,
        r#"{ "name": "x", "links": [{ "ends": ["a"] }] }"#,
        r#"{ "name": "x", "links": [{ "mtu": 5 }] }"#,
        r#"{ "name": "x", "nodes": { "a": { "mtu": null } } }"#,
    ] {
        let value: Value = serde_json::from_str(bad).unwrap();
        assert!(!fits(&value, &schema, &schema), "the schema takes {bad}");
        assert!(Spec::read(bad).is_err(), "the model takes {bad}");
    }
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn undescribed(value: &Value, path: &str, found: &mut Vec<String>) {
        for (key, inner) in value["properties"].as_object().into_iter().flatten() {
            if inner["description"].as_str().is_none_or(str::is_empty) {
                found.push(format!("{path}.{key}"));
            }
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            undescribed(inner, &format!("{path}/{key}"), found);
        }
        for inner in value.as_array().into_iter().flatten() {
            undescribed(inner, path, found);
        }
    }
    let mut found = Vec::new();
    undescribed(&schema(), "", &mut found);
    assert_eq!(found, [""; 0]);
}
