//! The bundled documents, read as a strict client reads them.

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};
use tessera_api::openapi;

/// One operation.
pub struct Operation {
    pub id: String,
    pub method: String,
    /// Where it is served: the document's servers, or its path's own.
    bases: Vec<String>,
    segments: Vec<String>,
    pub responses: BTreeMap<u16, Response>,
}

/// What an operation declares for one status.
pub struct Response {
    /// Media types with what their bodies look like.
    pub content: Vec<(String, Body)>,
    pub body_optional: bool,
    /// Names of headers that must be there, with the schema of their value.
    pub headers: Vec<(String, Body)>,
}

/// A schema, compiled when it is first needed.
pub struct Body {
    schema: Value,
    validator: OnceLock<Validator>,
}

impl Body {
    fn new(schema: Value) -> Self {
        Self { schema, validator: OnceLock::new() }
    }

    /// What is wrong with a value; empty when nothing is.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let validator = self.validator.get_or_init(|| {
            let options = jsonschema::options().should_validate_formats(true);
            options.build(&self.schema).unwrap_or_else(|e| panic!("the document holds an unusable schema: {e}"))
        });
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
    }
}

/// The operation of any document that a request is for; literal segments win over parameters.
pub fn find(method: &str, path: &str) -> Option<&'static Operation> {
    static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
        openapi::NAMES.iter().flat_map(|name| read(openapi::document(name, true).expect("a document"))).collect()
    });
    let fits = |operation: &&Operation| {
        operation.bases.iter().filter_map(|base| path.strip_prefix(base)).any(|below| {
            let given: Vec<&str> = below.split('/').collect();
            let same = |(s, g): (&String, &&str)| s == g || (s.starts_with('{') && !g.is_empty());
            operation.segments.len() == given.len() && operation.segments.iter().zip(&given).all(same)
        })
    };
    let literal = |operation: &Operation| operation.segments.iter().filter(|s| !s.starts_with('{')).count();
    let most = OPERATIONS.iter().filter(fits).map(literal).max()?;
    OPERATIONS.iter().filter(fits).find(|o| literal(o) == most && o.method == method)
}

fn read(document: &str) -> Vec<Operation> {
    let raw: Value = serde_json::from_str(document).expect("the document is JSON");
    let strict = components(&raw, true);
    let lenient = components(&raw, false);
    let mut operations = Vec::new();
    for (path, item) in raw["paths"].as_object().expect("paths") {
        let servers = item.get("servers").unwrap_or(&raw["servers"]).as_array().expect("servers");
        let base = |server: &Value| server["url"].as_str().expect("an address").trim_end_matches('/').to_owned();
        for (method, operation) in item.as_object().expect("a path item") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let read = |(status, response): (&String, &Value)| {
                let status: u16 = status.parse().expect("a status");
                let schemas = if status < 300 { &strict } else { &lenient };
                (status, read_response(&raw, response, schemas, status < 300))
            };
            operations.push(Operation {
                id: id.to_owned(),
                method: method.to_uppercase(),
                bases: servers.iter().map(base).collect(),
                segments: path.split('/').map(str::to_owned).collect(),
                responses: operation["responses"].as_object().expect("responses").iter().map(read).collect(),
            });
        }
    }
    operations
}

fn resolve<'d>(raw: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(target) => raw.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("{target} is missing")),
        None => value,
    }
}

fn read_response(raw: &Value, response: &Value, schemas: &Value, strict: bool) -> Response {
    let response = resolve(raw, response);
    let rooted = |schema: &Value| {
        let mut root =
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [convert(schema, strict)]});
        root["components"] = json!({"schemas": schemas});
        Body::new(root)
    };
    let entries = |key: &str| response[key].as_object().cloned().unwrap_or_default();
    let required = |(name, header): (String, Value)| {
        let header = resolve(raw, &header);
        (header["required"] == true).then(|| (name, rooted(&header["schema"])))
    };
    Response {
        content: entries("content").iter().map(|(media, c)| (media.clone(), rooted(&c["schema"]))).collect(),
        body_optional: response["x-body"] == "optional",
        headers: entries("headers").into_iter().filter_map(required).collect(),
    }
}

fn components(raw: &Value, strict: bool) -> Value {
    let schemas = raw["components"]["schemas"].as_object().expect("schemas");
    Value::Object(schemas.iter().map(|(name, schema)| (name.clone(), convert(schema, strict))).collect())
}

/// An OpenAPI 3.0 schema as JSON Schema. A strict client's: objects hold every listed property (but
/// those marked `x-sometimes`) and no other.
fn convert(schema: &Value, strict: bool) -> Value {
    let Some(schema) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in schema {
        let converted = match key.as_str() {
            "properties" => {
                let each = value.as_object().expect("properties");
                Value::Object(each.iter().map(|(name, s)| (name.clone(), convert(s, strict))).collect())
            }
            "items" | "additionalProperties" | "not" => convert(value, strict),
            "allOf" | "anyOf" | "oneOf" => {
                Value::Array(value.as_array().expect("a list").iter().map(|s| convert(s, strict)).collect())
            }
            // Empty text stands for no address.
            "format" if value != "uuid" && value != "date-time" => continue,
            "description" | "example" | "nullable" | "readOnly" | "writeOnly" | "default" | "title" => continue,
            key if key.starts_with("x-") => continue,
            _ => value.clone(),
        };
        out.insert(key.clone(), converted);
    }
    if strict && let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let always = properties.iter().filter(|(_, s)| s["x-sometimes"] != true);
        out.insert("required".into(), always.map(|(name, _)| Value::from(name.as_str())).collect());
        out.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        return json!({"anyOf": [out, {"type": "null"}]});
    }
    Value::Object(out)
}
