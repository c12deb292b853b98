//! The OpenAPI document, made from the table of routes and from the types of their bodies.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::api_error::ErrorBody;
use super::route::Route;

/// Returns the document: OpenAPI 3.1.
#[must_use]
pub fn document<'routes>(routes: impl Iterator<Item = &'routes Route>) -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut requests = settings.clone().into_generator();
    let mut replies = settings.for_serialize().into_generator();
    let error = replies.subschema_for::<ErrorBody<'static>>();
    let mut paths: BTreeMap<&str, Value> = BTreeMap::new();
    for route in routes {
        let mut operation = json!({
            "summary": route.summary,
            "responses": { "default": { "description": "An error", "content": { "application/json": { "schema": error } } } },
        });
        let mut success = json!({ "description": "Success" });
        if let Some(schema) = route.response {
            success["content"] = json!({ "application/json": { "schema": schema(&mut replies) } });
        }
        operation["responses"]["200"] = success;
        if let Some(schema) = route.request {
            operation["requestBody"] =
                json!({ "content": { "application/json": { "schema": schema(&mut requests) } } });
        }
        let places: Vec<Value> = places(route.path)
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if !places.is_empty() {
            operation["parameters"] = places.into();
        }
        operation["security"] = if route.is_open { json!([]) } else { json!([{ "key": [] }] ) };
        let method = route.method.as_str().to_lowercase();
        paths.entry(route.path).or_insert_with(|| json!({}))[method] = operation;
    }
    let mut schemas = requests.take_definitions(true);
    schemas.extend(replies.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": { "title": "magistrate", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0" } },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } } },
    })
}

/// Returns the names of the places in a path.
fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}
